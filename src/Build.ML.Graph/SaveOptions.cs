namespace Build.ML.Graph;

/// <summary>Whether weights are written into a file beside the model.</summary>
public enum ExternalData
{
    /// <summary>Those that were read from such a file; and, when the model would not fit the 2 GB a protobuf message may have, all large ones.</summary>
    Auto,

    /// <summary>All large ones.</summary>
    Always,

    /// <summary>None.</summary>
    Never,
}

/// <summary>How a model is written.</summary>
public sealed record SaveOptions
{
    /// <summary>Whether weights go into <c>&lt;file&gt;.data</c> beside the model. Default <see cref="ExternalData.Auto"/>.</summary>
    public ExternalData ExternalData { get; init; } = ExternalData.Auto;

    /// <summary>Bytes from which on a weight counts as large. Default 1024.</summary>
    public long ExternalThreshold { get; init; } = 1024;

    /// <summary>
    /// Largest file that holds its weights itself under <see cref="ExternalData.Auto"/>, in bytes. Default 2^31 − 1, protobuf's limit; no more than that.
    /// </summary>
    public long MaxFileLength { get; init; } = int.MaxValue;

    /// <summary>Stops the writing; the old file stays.</summary>
    public CancellationToken Cancellation { get; init; }
}
