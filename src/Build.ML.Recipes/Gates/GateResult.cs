using System.Globalization;

namespace Build.ML.Recipes.Gates;

/// <summary>A gate's outcome.</summary>
/// <param name="Gate">The condition.</param>
/// <param name="Passed">Whether it holds; false where a figure is not a number.</param>
/// <param name="Actual">Value of the left side.</param>
/// <param name="Required">Value of the right side.</param>
public sealed record GateResult(GateExpression Gate, bool Passed, double Actual, double Required)
{
    /// <summary>How the sides must compare, as the recipe writes it: <c>&gt;=</c>.</summary>
    public string Comparison => Gate.Comparison switch
    {
        GateComparison.AtLeast => ">=",
        GateComparison.AtMost => "<=",
        GateComparison.Above => ">",
        GateComparison.Below => "<",
        _ => "==",
    };

    /// <summary>For a report or an error: <c>accuracy &gt;= model.accuracy - 0.01: actual 0.91, required &gt;= 0.93</c>.</summary>
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Gate.Text}: actual {Actual:G6}, required {Comparison} {Required:G6}");
}
