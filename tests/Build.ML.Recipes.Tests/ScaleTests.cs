using System.Diagnostics;
using Build.ML.Recipes.Options;

namespace Build.ML.Recipes.Tests;

public sealed class ScaleTests : IDisposable
{
    readonly RecipeFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_thousand_steps_are_read_in_a_fraction_of_a_second()
    {
        var text = "model: models/rec.onnx\nsteps:\n" + string.Concat(Enumerable.Range(0, 1000).Select(
            i => $"- {{ id: s{i}, use: prune.channels, with: {{ sparsity: 0.{i}, include: [a, b], note: x }} }}\n"));
        _folder.Parse(text);
        var times = new List<double>();
        for (var i = 0; i < 5; i++)
        {
            var started = Stopwatch.GetTimestamp();
            foreach (var step in _folder.Parse(text).Steps)
                Assert.NotEmpty(OptionWalk.Canonical(step.Options, r => r.Name));
            times.Add(Stopwatch.GetElapsedTime(started).TotalSeconds);
        }

        // A plan of 1,000 steps may take 1 s in all; reading takes a small part of that (0.4 s were seen with 40 processes on two cores).
        Assert.True(times.Min() < 1, $"Took {times.Min():0.000} s.");
    }
}
