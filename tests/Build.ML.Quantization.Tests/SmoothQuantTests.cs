using Build.ML.Quantization.Folding;
using Build.ML.Quantization.SmoothQuant;

namespace Build.ML.Quantization.Tests;

public sealed class SmoothQuantTests
{
    [Fact]
    public void Scales_follow_the_paper()
    {
        float[] w = [0.5f, -2, 0, 0.25f, 1, 0];
        var scales = new SmoothingSearch([w], 3, 1).Scales([8, 2, 5], new ChannelTies(3), 0.5);
        Assert.Equal([MathF.Sqrt(8 / 0.5f), MathF.Sqrt(2 / 2f), 1], scales);
    }

    [Fact]
    public void Tied_channels_take_the_scale_of_their_largest()
    {
        var ties = new ChannelTies(3);
        ties.Join(0, 2);
        var scales = new SmoothingSearch([[0.5f, -2, 4, 0.25f, 1, 0.1f]], 3, 1).Scales([8, 2, 5], ties, 0.25);
        Assert.Equal((float)(Math.Pow(8, 0.25) / Math.Pow(4, 0.75)), scales[0], 1e-6f);
        Assert.Equal(scales[0], scales[2]);
    }

    [Fact]
    public void The_strength_found_is_the_best_of_the_grid_by_brute_force()
    {
        var (w, x, inputs) = AwqTests.Problem();
        using (inputs)
        {
            var search = new SmoothingSearch([w], 32, 2);
            var (alpha, _, error, without) = search.Best(x, inputs.Largest, new ChannelTies(32), 10);
            Assert.Equal(ErrorOf(w, x, [.. Enumerable.Repeat(1f, 32)]), without, 1e-3 * without);
            var errors = Enumerable.Range(0, 11).Select(i => ErrorOf(w, x, search.Scales(inputs.Largest, new ChannelTies(32), i / 10.0))).ToArray();
            Assert.Equal(errors.Min(), error, 1e-3 * error);
            Assert.Equal(Array.IndexOf(errors, errors.Min()) / 10.0, alpha);
            Assert.True(error < 0.3 * without, $"{error} smoothed, {without} not: one channel is 30 times the others.");
        }
    }

    [Theory]
    [InlineData(ActivationForm.Dynamic)]
    [InlineData(ActivationForm.Static)]
    public void Outliers_in_activations_cost_less_after_smoothing(ActivationForm form)
    {
        var before = Step.Run(Outliers(), LanguageModels.Ids());
        var plain = form == ActivationForm.Dynamic
            ? new Dynamic.DynamicQuantization().Apply(Outliers(), new() { OpTypes = ["MatMul"], ReduceRange = true }, Step.Context()).Model
            : new Static.StaticQuantization().Apply(Outliers(), new() { Data = Step.Data, OpTypes = ["MatMul"], ReduceRange = true }, Step.Context(new AwqTests.IdsData())).Model;
        var result = new SmoothQuantization().Apply(Outliers(), Options(form) with { ReduceRange = true }, Step.Context(new AwqTests.IdsData()));
        Assert.Contains(result.Layers, l => l.Outcome == "quantized" && l.Figures.Any(f => f.Key == "alpha"));
        var (smoothed, unsmoothed) = (Step.Sqnr(before, Step.Run(result.Model, LanguageModels.Ids())), Step.Sqnr(before, Step.Run(plain, LanguageModels.Ids())));
        Assert.True(smoothed > unsmoothed + 3, $"{smoothed:0.0} dB smoothed, {unsmoothed:0.0} dB not");
    }

    [Theory]
    [InlineData(null)]
    [InlineData(0.5)]
    public void Smoothing_alone_keeps_the_function(double? alpha)
    {
        var before = Step.Run(LanguageModels.Gpt(), LanguageModels.Ids());
        var result = new SmoothQuantization().Apply(LanguageModels.Gpt(), Options(ActivationForm.None) with { Alpha = alpha }, Step.Context(new AwqTests.IdsData()));
        FoldingTests.AssertClose(before, Step.Run(result.Model, LanguageModels.Ids()));
        Assert.Contains(result.Layers, l => l.Outcome == "scaled");
    }

    private static SmoothQuantization.Options Options(ActivationForm form) => new() { Data = Step.Data, Activations = form };

    // As in large models: a few channels that the norms make 40 times as large, and weights that read them small.
    private static Graph.Model Outliers()
    {
        var model = LanguageModels.Llama();
        var ones = Enumerable.Range(0, LanguageModels.Width).Select(i => i % 11 == 3 ? 1 / 40f : 1).ToArray();
        foreach (var (group, fold) in FoldingTests.Folds(model, mayInsert: false).Where(f => f.Group.Activation.Name.EndsWith("norm", StringComparison.Ordinal)))
        {
            fold.Apply(ones);
        }

        return model;
    }

    private static double ErrorOf(float[] w, float[] x, float[] scales)
    {
        const int Channels = 32;
        var smooth = x.Select((v, i) => v / scales[i % Channels]).ToArray();
        double low = Math.Min(smooth.Min(), 0), high = Math.Max(smooth.Max(), 0);
        var step = (high - low) / 255;
        var zero = Math.Round(-low / step);
        var rounded = smooth.Select(v => (Math.Clamp(Math.Round(v / step) + zero, 0, 255) - zero) * step).ToArray();
        var sum = 0d;
        for (var row = 0; row < w.Length; row += Channels)
        {
            var scaled = Enumerable.Range(0, Channels).Select(c => (double)w[row + c] * scales[c]).ToArray();
            var size = scaled.Max(Math.Abs) / 127;
            var weights = scaled.Select(v => Math.Round(v / size) * size).ToArray();
            for (var sample = 0; sample < x.Length; sample += Channels)
            {
                var e = 0d;
                for (var c = 0; c < Channels; c++)
                {
                    e += rounded[sample + c] * weights[c] - (double)x[sample + c] * w[row + c];
                }

                sum += e * e;
            }
        }

        return sum;
    }
}
