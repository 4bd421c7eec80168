using System.Collections.Immutable;
using Build.ML.Abstractions.Metrics;

namespace Build.ML.Engine.Evaluation;

/// <summary>A figure of an evaluation.</summary>
/// <param name="Value">The figure.</param>
/// <param name="DependsOnMachine">Whether another machine, or this one under load, would give another; such figures stay out of provenance.</param>
public sealed record Measurement(MetricValue Value, bool DependsOnMachine);

/// <summary>Reads and writes <c>metrics.json</c>.</summary>
public static class MetricsFile
{
    /// <summary>Reads the figures of an evaluation, in the order of the recipe.</summary>
    /// <param name="path">Full path.</param>
    public static ImmutableArray<Measurement> Read(string path) => EngineJson.Read<ImmutableArray<Measurement>>(File.ReadAllText(path));

    internal static void Write(string path, ImmutableArray<Measurement> figures) => File.WriteAllText(path, EngineJson.Write(figures));
}
