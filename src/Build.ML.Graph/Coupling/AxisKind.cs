namespace Build.ML.Graph.Coupling;

/// <summary>What the positions of a <see cref="ChannelAxis"/> are to the network.</summary>
public enum AxisKind
{
    /// <summary>Feature maps of convolutions, or anything that none of the others describes.</summary>
    Channel,

    /// <summary>Hidden units between two matrix products (of an MLP, gated or not) that no residual connection carries.</summary>
    Neurons,

    /// <summary>The width of a residual stream or an embedding: what skip connections carry and normalisation runs over.</summary>
    Hidden,

    /// <summary>Attention heads; for grouped-query attention the key-value heads, each with its query heads.</summary>
    Heads,

    /// <summary>The query heads that share one key-value head, in grouped-query attention.</summary>
    QueryHeads,

    /// <summary>The width of one attention head.</summary>
    HeadSize,
}
