namespace Build.ML.WeightSharing.Clustering;

/// <summary>Passes over many numbers in parts of a fixed size, so that sums do not depend on how many threads take them.</summary>
internal static unsafe class Chunks
{
    /// <summary>Numbers in a part; the last has fewer.</summary>
    public const int Size = 1 << 20;

    /// <summary>Looks at a part.</summary>
    /// <param name="chunk">Its index.</param>
    /// <param name="part">Its numbers.</param>
    public delegate void Visitor(int chunk, ReadOnlySpan<float> part);

    /// <summary>Number of parts.</summary>
    public static int Count(int length) => (int)(((long)length + Size - 1) / Size);

    /// <summary>Visits all parts, several at a time.</summary>
    public static void ForEach(ReadOnlySpan<float> numbers, int threads, Visitor visit)
    {
        fixed (float* start = numbers)
        {
            var (address, length) = ((nint)start, numbers.Length);
            void Visit(int chunk)
            {
                var first = chunk * Size;
                visit(chunk, new ReadOnlySpan<float>((float*)address + first, Math.Min(Size, length - first)));
            }

            if (threads == 1 || length <= Size)
            {
                for (var chunk = 0; chunk < Count(length); chunk++)
                {
                    Visit(chunk);
                }
            }
            else
            {
                Parallel.For(0, Count(length), new ParallelOptions { MaxDegreeOfParallelism = threads }, Visit);
            }
        }
    }
}
