namespace Build.ML.Quantization;

/// <summary>How many weights share one scale.</summary>
public enum Granularity
{
    /// <summary>One scale for the whole tensor.</summary>
    PerTensor,

    /// <summary>One scale for each output channel: row of a filter bank, column of a matrix.</summary>
    PerChannel,
}
