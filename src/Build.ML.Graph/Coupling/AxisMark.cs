namespace Build.ML.Graph.Coupling;

/// <summary>What a <see cref="CouplingRule"/> can say of the axes of a dimension.</summary>
public enum AxisMark
{
    /// <summary>The node runs in parallel over it: heads of an attention.</summary>
    Heads,

    /// <summary>The query heads of one key-value head.</summary>
    QueryHeads,

    /// <summary>The width of a head.</summary>
    HeadSize,

    /// <summary>Feature maps of a convolution.</summary>
    Channel,

    /// <summary>Width of a residual stream or an embedding.</summary>
    Hidden,

    /// <summary>The node normalises or averages over it.</summary>
    Normalized,

    /// <summary>The node sums over it without a constant.</summary>
    Summed,
}
