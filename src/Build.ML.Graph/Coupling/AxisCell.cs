namespace Build.ML.Graph.Coupling;

/// <summary>
/// A variable of the unification: one axis, or one found to be made of others. A bound cell stands for its layout: another cell (they are one axis),
/// a product (a Reshape split it) or a sum (a Split or Concat did).
/// </summary>
sealed class AxisCell(long size, string? symbol, int order)
{
    /// <summary>Number of positions, or −1 where it is known at run time only.</summary>
    public long Size { get; } = size;

    /// <summary>Name of an unknown size: equal names are equal sizes.</summary>
    public string? Symbol { get; } = symbol;

    /// <summary>Order of creation.</summary>
    public int Order { get; } = order;

    /// <summary>What the cell has been found to be, or null for an axis of its own.</summary>
    public DimensionLayout? Bound { get; set; }

    /// <summary>The axis, once the analysis is done.</summary>
    public ChannelAxis? Axis { get; set; }
}
