namespace Build.ML.Pruning;

/// <summary>
/// N:M sparsity: of every M weights that follow each other along the reduction axis, the N greatest stay (Zhou et al. 2021, "Learning N:M Fine-grained Structured Sparse Neural
/// Networks From Scratch"); of equal ones the first. A last, shorter group keeps N too.
/// </summary>
/// <param name="keep">N.</param>
/// <param name="of">M.</param>
/// <param name="length">Size of the reduction axis.</param>
/// <param name="inner">Product of the sizes after it.</param>
internal sealed class BlockMask(int keep, int of, int length, int inner) : PruningMask
{
    /// <inheritdoc/>
    public override int Unit => length * inner;

    /// <inheritdoc/>
    public override PieceCopier Begin() => (weights, kept) =>
    {
        weights.CopyTo(kept);
        for (var start = 0; start < weights.Length; start += Unit)
        {
            for (var first = 0; first < length; first += of)
            {
                var size = Math.Min(of, length - first);
                for (var i = 0; i < inner && size > keep; i++)
                {
                    Prune(kept.Slice(start + first * inner + i), size);
                }
            }
        }
    };

    // Takes away the least of those that are left, the last of equal ones, until N are left.
    private void Prune(Span<float> group, int size)
    {
        var gone = 0UL;
        for (var n = size; n > keep; n--)
        {
            var least = -1;
            for (var j = 0; j < size; j++)
            {
                if ((gone >> j & 1) == 0 && (least < 0 || Math.Abs(group[j * inner]) <= Math.Abs(group[least * inner])))
                {
                    least = j;
                }
            }

            gone |= 1UL << least;
            group[least * inner] = 0;
        }
    }
}
