namespace Build.ML.Pruning.Depth;

/// <summary>What <c>prune.layers</c> removes.</summary>
public enum LayerUnit
{
    /// <summary>Whole repeated blocks: a transformer's layer, a residual network's block.</summary>
    Layer,

    /// <summary>Single residual connections: a transformer's attention or its feed-forward part.</summary>
    Connection,
}
