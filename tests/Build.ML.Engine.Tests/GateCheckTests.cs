using System.Collections.Immutable;
using Build.ML.Abstractions.Metrics;
using Build.ML.Engine.Evaluation;
using Build.ML.Engine.Reporting;
using Build.ML.Recipes;
using Build.ML.Recipes.Gates;

namespace Build.ML.Engine.Tests;

public sealed class GateCheckTests
{
    // The small model takes half of the large one's time; its run fell into a phase in which the machine was 1.6 times as slow.
    private static readonly EvaluationSet Timed = new(
    [
        Taken("model", Time(4, null), Size(100, null)),
        Taken("large", Time(6, 4), Size(60, 100)),
        Taken("small", Time(4.8, 6.4), Size(30, 100)),
    ]);

    [Theory]
    [InlineData("small.time <= 0.55 * large.time", true)]
    [InlineData("small.time <= 0.45 * large.time", false)]
    [InlineData("large.time >= 1.9 * small.time", true)]
    [InlineData("small.time <= 0.8 * model.time", true)]
    [InlineData("time <= 5", true)]
    public void A_gate_on_two_steps_times_allows_for_the_machines_speed_in_either_run(string gate, bool holds) =>
        Assert.Equal(holds, Check(gate).Result.Passed);

    [Fact]
    public void The_step_named_first_keeps_the_time_that_was_measured()
    {
        var result = Check("small.time <= 0.55 * large.time").Result;
        Assert.Equal(4.8, result.Actual);
        Assert.Equal(0.55 * 6 * (6.4 / 4), result.Required, 12);
    }

    [Fact]
    public void What_does_not_depend_on_the_machine_is_compared_as_measured()
    {
        var result = Check("small.size <= 0.5 * large.size").Result;
        Assert.Equal(30, result.Actual);
        Assert.Equal(30, result.Required);
    }

    [Fact]
    public void A_time_without_one_of_the_source_model_is_compared_as_measured()
    {
        var figures = new EvaluationSet([Taken("large", Time(6, null)), Taken("small", Time(4.8, 6.4))]);
        Assert.Equal(6, Check("small.time <= large.time", figures).Result.Required);
    }

    private static GateCheck Check(string gate, EvaluationSet? figures = null) =>
        GateCheck.Of(new Gate(GateExpression.Parse(gate), new("r.yaml", 1, 1)), figures ?? Timed, "small");

    private static KeyValuePair<string, ImmutableArray<Measurement>> Taken(string model, params ImmutableArray<Measurement> figures) => new(model, figures);

    private static Measurement Time(double value, double? source) => new(new("time", value, "s", Direction.LowerIsBetter) { SourceValue = source }, true);

    private static Measurement Size(double value, double? source) => new(new("size", value, "bytes", Direction.LowerIsBetter) { SourceValue = source }, false);
}
