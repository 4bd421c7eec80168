namespace Build.ML.Benchmarks.Frame;

/// <summary>What a benchmark found.</summary>
/// <param name="Value">The claim's number.</param>
/// <param name="Limit">Its limit; the value may be equal.</param>
/// <param name="Unit">Of both, such as <c>x cp</c> or <c>s</c>.</param>
public sealed record Outcome(double Value, double Limit, string Unit)
{
    /// <summary>Further conditions, such as memory, that must hold too.</summary>
    public IReadOnlyList<Condition> Conditions { get; init; } = [];

    /// <summary>What was measured on the way: name to median, for reading.</summary>
    public IReadOnlyList<Measured> Details { get; init; } = [];

    /// <summary>Whether all limits hold.</summary>
    public bool Passes => Value <= Limit && Conditions.All(c => c.Value <= c.Limit);
}

/// <summary>A limit beside the main one.</summary>
/// <param name="Name">What is limited.</param>
/// <param name="Value">As measured.</param>
/// <param name="Limit">Largest value that passes.</param>
/// <param name="Unit">Of both.</param>
public sealed record Condition(string Name, double Value, double Limit, string Unit);

/// <summary>The median of one side.</summary>
/// <param name="Name">Which side.</param>
/// <param name="Median">Its median.</param>
/// <param name="Smallest">Its smallest value.</param>
/// <param name="Largest">Its largest value.</param>
/// <param name="Unit">Of all three.</param>
public sealed record Measured(string Name, double Median, double Smallest, double Largest, string Unit);
