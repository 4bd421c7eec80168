using Build.ML.Abstractions.Metrics;
using Build.ML.Engine.Evaluation;

namespace Build.ML.Cli.Output;

/// <summary>A measured figure as <c>--json</c> prints it.</summary>
/// <param name="Name">Name of the figure.</param>
/// <param name="Value">In <paramref name="Unit"/>.</param>
/// <param name="Unit">Base unit.</param>
/// <param name="Direction">Which way is better.</param>
/// <param name="SourceValue">The source model's figure taken in the same run; null where there is none.</param>
/// <param name="Note">How it was measured; may be empty.</param>
/// <param name="DependsOnMachine">Whether another machine would give another figure.</param>
internal sealed record Figure(
    string Name, double Value, string Unit, Direction Direction, double? SourceValue, string Note, bool DependsOnMachine)
{
    public static Figure Of(Measurement m) =>
        new(m.Value.Name, m.Value.Value, m.Value.Unit, m.Value.Direction, m.Value.SourceValue, m.Value.Note, m.DependsOnMachine);

    /// <summary>The figures that an evaluation left in its directory.</summary>
    public static IReadOnlyList<Figure> In(string directory) => [.. MetricsFile.Read(Path.Combine(directory, "metrics.json")).Select(Of)];
}
