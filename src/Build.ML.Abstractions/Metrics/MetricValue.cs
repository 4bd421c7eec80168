namespace Build.ML.Abstractions.Metrics;

/// <summary>Which way a figure gets better.</summary>
public enum Direction
{
    /// <summary>More is better, as for accuracy.</summary>
    HigherIsBetter,

    /// <summary>Less is better, as for size.</summary>
    LowerIsBetter,
}

/// <summary>One measured figure.</summary>
/// <param name="Name">snake_case; the metric's name, or that with a suffix where a metric yields several.</param>
/// <param name="Value">In <paramref name="Unit"/>.</param>
/// <param name="Unit">Base unit: <c>ratio</c> (0 to 1), <c>bytes</c>, <c>s</c>, <c>J</c>, <c>count</c>, <c>dB</c>, <c>1/s</c>.</param>
/// <param name="Direction">Which way is better.</param>
public sealed record MetricValue(string Name, double Value, string Unit, Direction Direction)
{
    /// <summary>The same figure of the source model taken in the same run, interleaved, for figures that depend on the machine's mood; else null.</summary>
    public double? SourceValue { get; init; }

    /// <summary>How it was measured, where that is not self-evident, such as <c>CPU seconds × 15 W</c>.</summary>
    public string Note { get; init; } = "";
}
