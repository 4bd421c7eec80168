using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Quantization.Auto;

namespace Build.ML.Quantization.Tests;

public sealed class AutoQuantizationTests
{
    [Fact]
    public void The_first_attempt_whose_gates_hold_is_kept_and_the_others_are_told()
    {
        using var model = Models.Perceptron(21);
        var full = model.ToBytes().Length;
        var context = Gated(m => m.ToBytes().Length < 0.3 * full); // 8 bits take 0.3 and more, with scales and names
        var result = new AutoQuantization().Apply(model, new() { Data = Step.Data }, context);
        Assert.Equal("weights_int4", result.Notes.First(n => n.Contains("passed", StringComparison.Ordinal)).Split(' ')[0]);
        Assert.Contains(result.Notes, n => n.StartsWith("dynamic_int8 failed. ", StringComparison.Ordinal));
        Assert.Contains(result.Model.AllNodes, n => n.OpType == "MatMulNBits");
    }

    [Fact]
    public void Where_nothing_meets_the_gates_the_error_tells_each_attempt()
    {
        using var model = Models.Perceptron(21);
        var error = Assert.Throws<DiagnosticException>(() => new AutoQuantization().Apply(model, new() { Try = ["dynamic_int8", "weights_int4"] }, Gated(_ => false)));
        Assert.Equal("BML5462", error.Diagnostics[0].Code);
        Assert.Contains("dynamic_int8 failed", error.Diagnostics[0].Message, StringComparison.Ordinal);
        Assert.Contains("weights_int4 failed", error.Diagnostics[0].Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Attempts_that_need_data_are_told_as_not_tried_without_it()
    {
        using var model = Models.Perceptron(21);
        var error = Assert.Throws<DiagnosticException>(() => new AutoQuantization().Apply(model, new() { Try = ["static_int8"] }, Gated(_ => true)));
        Assert.Contains("static_int8 not tried: it needs calibration data", error.Diagnostics[0].Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_attempt_of_no_known_name_is_an_error_that_lists_the_names()
    {
        using var model = Models.Perceptron(21);
        var error = Assert.Throws<DiagnosticException>(() => new AutoQuantization().Apply(model, new() { Try = ["int5"] }, Gated(_ => true)));
        Assert.Equal("BML5463", error.Diagnostics[0].Code);
        Assert.Contains("dynamic_int8", error.Diagnostics[0].Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_step_that_was_killed_does_not_try_again_what_failed()
    {
        using var folder = new TemporaryFolder();
        using var model = Models.Perceptron(21);
        var context = Gated(m => throw new OperationCanceledException(), failFirst: true) with { CheckpointDirectory = folder.FullPath };
        Assert.Throws<OperationCanceledException>(() => new AutoQuantization().Apply(model, new() { Data = Step.Data }, context));
        var checks = 0;
        var again = Gated(_ => true) with { CheckpointDirectory = folder.FullPath };
        var result = new AutoQuantization().Apply(model, new() { Data = Step.Data }, again with { CheckGates = m => { checks++; return again.CheckGates(m); } });
        Assert.Equal(1, checks);
        Assert.StartsWith("dynamic_int8 failed. ", result.Notes[0]);
        Assert.StartsWith("weights_int8 passed. ", result.Notes[1]);
    }

    private static StepContext Gated(Func<Model, bool> holds, bool failFirst = false)
    {
        var calls = 0;
        return Step.Context(new NormalData(16, 48)) with
        {
            CheckGates = m => failFirst && calls++ == 0 || !holds(m) ? new(false, ["size: too large"], ["size: too large"], []) : new(true, ["size: small enough"], [], []),
        };
    }
}
