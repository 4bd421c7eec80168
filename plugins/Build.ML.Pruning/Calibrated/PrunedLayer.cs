using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Text;

namespace Build.ML.Pruning.Calibrated;

/// <summary>What became of a layer.</summary>
/// <param name="Weights">[rows, columns], row-major.</param>
/// <param name="Figures">For the report.</param>
internal sealed record PrunedLayer(float[] Weights, ImmutableArray<KeyValuePair<string, double>> Figures)
{
    /// <summary>Writes all of it.</summary>
    public void Write(Stream destination)
    {
        using var writer = new BinaryWriter(destination, Encoding.UTF8, leaveOpen: true);
        writer.Write(Figures.Length);
        foreach (var (name, figure) in Figures)
        {
            writer.Write(name);
            writer.Write(figure);
        }

        writer.Write(Weights.Length);
        writer.Flush();
        for (var start = 0; start < Weights.Length; start += 1 << 20)
        {
            destination.Write(MemoryMarshal.AsBytes(Weights.AsSpan(start, Math.Min(1 << 20, Weights.Length - start))));
        }
    }

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    public static PrunedLayer Read(Stream source)
    {
        using var reader = new BinaryReader(source, Encoding.UTF8, leaveOpen: true);
        var figures = new KeyValuePair<string, double>[reader.ReadInt32()];
        for (var i = 0; i < figures.Length; i++)
        {
            figures[i] = new(reader.ReadString(), reader.ReadDouble());
        }

        var weights = GC.AllocateUninitializedArray<float>(reader.ReadInt32());
        for (var start = 0; start < weights.Length; start += 1 << 20)
        {
            source.ReadExactly(MemoryMarshal.AsBytes(weights.AsSpan(start, Math.Min(1 << 20, weights.Length - start))));
        }

        return new(weights, [.. figures]);
    }
}
