using System.Collections.Immutable;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Recipes.Gates;

/// <summary>
/// A condition on metrics: <c>expression op expression</c> with <c>op</c> one of <c>&gt;= &lt;= &gt; &lt; ==</c>. Operands are numbers, <c>metric</c> (of the recipe's
/// last step), <c>model.metric</c> (of the source model) and <c>step.metric</c>; operators <c>+ - * /</c>, sign and parentheses with the usual precedence.
/// </summary>
/// <param name="Text">As written.</param>
/// <param name="Left">What is measured.</param>
/// <param name="Comparison">How it must compare.</param>
/// <param name="Right">What it must reach.</param>
public sealed record GateExpression(string Text, GateTerm Left, GateComparison Comparison, GateTerm Right)
{
    /// <summary>All metrics that the condition names, in the order written.</summary>
    public ImmutableArray<GateMetric> Metrics => [.. Left.Metrics(), .. Right.Metrics()];

    /// <summary>Parses a condition.</summary>
    /// <param name="text">The condition.</param>
    /// <param name="location">Where its first character stands; errors point at the character they mean.</param>
    /// <exception cref="DiagnosticException">BML1030: not a condition.</exception>
    public static GateExpression Parse(string text, SourceLocation? location = null) => new GateParser(text, location).Parse();

    /// <summary>Compares both sides.</summary>
    /// <param name="value">The figure of a metric; not a number where it was not measured, which fails the gate.</param>
    public GateResult Evaluate(Func<GateMetric, double> value)
    {
        var actual = Left.Evaluate(value);
        var required = Right.Evaluate(value);
        var passed = Comparison switch
        {
            GateComparison.AtLeast => actual >= required,
            GateComparison.AtMost => actual <= required,
            GateComparison.Above => actual > required,
            GateComparison.Below => actual < required,
            _ => actual == required,
        };
        return new(this, passed, actual, required);
    }
}

/// <summary>How the sides of a gate must compare.</summary>
public enum GateComparison
{
    /// <summary><c>&gt;=</c></summary>
    AtLeast,

    /// <summary><c>&lt;=</c></summary>
    AtMost,

    /// <summary><c>&gt;</c></summary>
    Above,

    /// <summary><c>&lt;</c></summary>
    Below,

    /// <summary><c>==</c></summary>
    Equal,
}
