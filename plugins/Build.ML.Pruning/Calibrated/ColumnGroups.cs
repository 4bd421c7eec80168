namespace Build.ML.Pruning.Calibrated;

/// <summary>
/// The groups of N:M of a weight seen as a matrix: weights that follow each other along the axis that products are summed over, so for a convolution those of consecutive channels at one place of its
/// kernel. Columns are counted in an order in which a group's follow each other.
/// </summary>
/// <param name="keep">N.</param>
/// <param name="of">M.</param>
/// <param name="channels">Size of the axis that products are summed over.</param>
/// <param name="inner">Places of the kernel; 1 for a product.</param>
internal sealed class ColumnGroups(int keep, int of, int channels, int inner)
{
    private readonly int _perPlace = (channels + of - 1) / of;

    /// <summary>N.</summary>
    public int Keep => keep;

    /// <summary>Number of groups.</summary>
    public int Count => _perPlace * inner;

    /// <summary>Where a group begins, or for <see cref="Count"/> where the last ends; a last, shorter group of a place keeps N too.</summary>
    public int Start(int group) => group / _perPlace * channels + group % _perPlace * of;

    /// <summary>The column of the weight at each place of the order: place of the kernel by place, channel by channel.</summary>
    public int[] Order()
    {
        var order = new int[channels * inner];
        for (var i = 0; i < order.Length; i++)
        {
            order[i] = i % channels * inner + i / channels;
        }

        return order;
    }
}
