using System.Collections.Immutable;
using Build.ML.Abstractions.Metrics;

namespace Build.ML.Abstractions.Techniques;

/// <summary>What the recipe's gates say of a candidate.</summary>
/// <param name="Passed">Whether all hold.</param>
/// <param name="Gates">One line a gate, with both sides: <c>accuracy &gt;= 0.8: actual 0.81, required &gt;= 0.8</c>.</param>
/// <param name="Failed">The lines of <paramref name="Gates"/> that do not hold.</param>
/// <param name="Figures">What the recipe's evaluation measured of the candidate.</param>
public sealed record GateVerdict(bool Passed, ImmutableArray<string> Gates, ImmutableArray<string> Failed, ImmutableArray<MetricValue> Figures);
