using Build.ML.Graph.Diagnostics;
using Build.ML.Recipes.Gates;

namespace Build.ML.Recipes.Tests;

public sealed class GateTests
{
    [Theory]
    [InlineData("accuracy >= model.accuracy - 0.01", true, 0.9, 0.89)]
    [InlineData("accuracy > model.accuracy", false, 0.9, 0.9)]
    [InlineData("size<=0.3*model.size", true, 30, 30)]
    [InlineData("size < 0.3 * model.size", false, 30, 30)]
    [InlineData("int8-g32.size == 25", true, 25, 25)]
    [InlineData("model.size / int8-g32.size >= 2 + 2 * 1", true, 4, 4)]
    [InlineData("(1 + 2) * 3 == 9", true, 9, 9)]
    [InlineData("10 - 2 - 3 == 5", true, 5, 5)]
    [InlineData("-accuracy <= - -.5e-1", true, -0.9, 0.05)]
    [InlineData("accuracy-0.1 >= 0.8", true, 0.8, 0.8)]
    [InlineData("missing >= 0", false, double.NaN, 0)]
    public void A_condition_is_computed_as_arithmetic_says(string text, bool passed, double actual, double required)
    {
        var result = GateExpression.Parse(text).Evaluate(Value);

        Assert.Equal(passed, result.Passed);
        Assert.Equal(actual, result.Actual, 12);
        Assert.Equal(required, result.Required, 12);
    }

    [Theory]
    [InlineData("", 1)]
    [InlineData("accuracy", 9)]
    [InlineData("accuracy >=", 12)]
    [InlineData("accuracy >= 1 1", 15)]
    [InlineData("accuracy => 1", 10)]
    [InlineData("(accuracy >= 1", 11)]
    [InlineData("accuracy >= (1", 15)]
    [InlineData("accuracy >= 1 >= 2", 15)]
    [InlineData("accuracy >= model.", 18)]
    [InlineData("a % b > 1", 3)]
    public void A_malformed_condition_is_an_error_at_its_character(string text, int column)
    {
        var error = Assert.Throws<DiagnosticException>(() => GateExpression.Parse(text, new("r.yaml", 3, 1)));

        Assert.Equal(new SourceLocation("r.yaml", 3, column), error.Diagnostics[0].Location);
    }

    [Fact]
    public void Deep_nesting_is_an_error_not_a_crash() =>
        Assert.Throws<DiagnosticException>(() => GateExpression.Parse(new string('(', 100_000)));

    [Fact]
    public void A_failed_gate_says_actual_and_required_value() =>
        Assert.Equal(
            "accuracy >= model.accuracy + 0.05: actual 0.9, required >= 0.95",
            GateExpression.Parse("accuracy >= model.accuracy + 0.05").Evaluate(Value).ToString());

    static double Value(GateMetric metric) => metric.ToString() switch
    {
        "accuracy" or "model.accuracy" => 0.9,
        "size" => 30,
        "model.size" => 100,
        "int8-g32.size" => 25,
        _ => double.NaN,
    };
}
