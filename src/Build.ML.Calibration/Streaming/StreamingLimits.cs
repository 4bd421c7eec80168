namespace Build.ML.Calibration.Streaming;

/// <summary>What a streamed execution may hold, in bytes. Where pieces end decides where fusions end, and so the last bits of results: nothing here depends on the machine.</summary>
internal sealed record StreamingLimits
{
    /// <summary>The limits in use.</summary>
    public static StreamingLimits Default { get; } = new();

    /// <summary>Activations held in memory; what is beyond goes to files in the step's scratch folder.</summary>
    public long Memory { get; init; } = 512L << 20;

    /// <summary>Initializers after which a piece ends.</summary>
    public long PieceWeights { get; init; } = 256L << 20;

    /// <summary>Up to this many bytes of initializers each thread has a session of its own; above, the threads share one.</summary>
    public long SharedWeights { get; init; } = 32L << 20;

    /// <summary>What a piece with watched values may return for one batch, where a shorter piece would return less.</summary>
    public long Returned { get; init; } = 256L << 20;
}
