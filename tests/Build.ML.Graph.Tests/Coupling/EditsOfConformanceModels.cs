using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Tests.Coupling;

/// <summary>
/// Every operator case of libonnx-testdata with its dimensions set free: inputs are constants, made activations by a factor that is fed, and what comes
/// out is summed with random weights. Half of every axis that is not locked is removed.
/// </summary>
public sealed class EditsOfConformanceModels
{
    /// <summary>Sums of some thousand products in float, in another order.</summary>
    private const double Rounding = 1e-4;

    [SkippableTheory]
    [InlineData(true)]
    [InlineData(false)]
    public void Half_of_every_free_axis_can_go_and_what_nothing_reads_changes_nothing(bool constants)
    {
        var failures = new List<string>();
        var (cases, axes, free, compared) = (0, 0, 0, 0);
        foreach (var path in OnnxTestData.AllModels())
        {
            using var model = Model.Open(path);
            if (TensorFiles.Feeds(model, Path.Combine(Path.GetDirectoryName(path)!, "test_data_set_0")) is not { } given
                || given.Sum(f => f.Value.Count) > 2_000_000 || !FreedModel.TryFree(model, given, constants))
            {
                continue;
            }

            var result = StructuralEdit.Check(model, [new("factor", Tensor.Scalar(1f))], Rounding);
            cases++;
            axes += result.Axes;
            free += result.Free;
            compared += result.Compared;
            failures.AddRange(result.Failures.Select(f => $"{Path.GetFileName(Path.GetDirectoryName(path))}: {f}"));
        }

        var summary = $"{cases} cases, {axes} axes, {free} free, {compared} compared, {failures.Count} failures\n";
        Assert.True(failures.Count == 0, summary + string.Join('\n', failures));
        Assert.True(cases >= 900 && compared >= 1300, summary);
    }
}
