namespace Build.ML.Pruning.Structured;

/// <summary>What a target is a fraction of.</summary>
internal enum TargetMeasure
{
    /// <summary>Positions of the chosen axes.</summary>
    Positions,

    /// <summary>Multiply-accumulates of one run.</summary>
    Macs,

    /// <summary>Weights.</summary>
    Parameters,

    /// <summary>Bytes of weights.</summary>
    Size,

    /// <summary>Measured time of one run.</summary>
    Latency,
}
