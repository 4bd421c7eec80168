using Build.ML.Quantization.Static.Rounding;

namespace Build.ML.Quantization.Tests;

public sealed class AdaRoundTests
{
    private const int Columns = 9;
    private const int Outputs = 3;
    private const int Rows = 256;
    private static readonly float[] Scales = [0.31f, 0.22f, 0.4f];
    private static readonly float[] Bias = [0.1f, -0.2f, 0.3f];

    [Theory]
    [InlineData(float.NegativeInfinity)]
    [InlineData(0f)] // a ReLU follows
    public void The_rounding_learnt_is_nearly_the_best_of_all(float least)
    {
        var clip = (least, float.PositiveInfinity);
        var (weights, sample) = Layer();
        var integers = new AdaRound(new() { Iterations = 4000 }, -8, 7, clip).Round(weights, Columns, Scales, Bias, sample, 2);
        double allLearnt = 0, allNearest = 0;
        for (var o = 0; o < Outputs; o++)
        {
            var floor = Enumerable.Range(0, Columns).Select(k => MathF.Floor(weights[o * Columns + k] / Scales[o])).ToArray();
            var all = Enumerable.Range(0, 1 << Columns)
                .Select(up => Loss(sample, o, clip, k => (floor[k] + (up >> k & 1)) * Scales[o])).Order().ToArray();
            var learnt = Loss(sample, o, clip, k => integers[o * Columns + k] * Scales[o]);
            var nearest = Loss(sample, o, clip, k => MathF.Round(weights[o * Columns + k] / Scales[o]) * Scales[o]);

            // Of 512 roundings, among the best tenth, and never worse than the nearest: a descent need not find the very best.
            Assert.InRange(learnt, all[0], Math.Min(all[51], nearest));
            (allLearnt, allNearest) = (allLearnt + learnt, allNearest + nearest);
        }

        Assert.True(allLearnt < allNearest / 3);

        // Every weight went to one of its neighbours.
        Assert.All(Enumerable.Range(0, weights.Length), i => Assert.InRange(Math.Abs(integers[i] - weights[i] / Scales[i / Columns]), 0, 1));
    }

    [Theory]
    [InlineData(0f, 0f, float.NegativeInfinity)]
    [InlineData(0f, 0f, 0f)]
    [InlineData(0.5f, 3f, float.NegativeInfinity)]
    [InlineData(0.5f, 3f, 0f)]
    public void The_gradient_is_that_of_finite_differences(float lambda, float beta, float least)
    {
        var (weights, sample) = Layer();
        var method = new AdaRound(new(), -4, 3, (least, float.PositiveInfinity));
        var band = new AdaRoundBand(method, sample, 0, Outputs, Columns, 1);
        band.Load(weights, Scales, Bias);
        var gradient = band.Gradient(0, Rows, lambda, beta).Gradient.ToArray();
        var compared = 0;
        for (var o = 0; o < Outputs; o++)
        {
            for (var k = 0; k < Columns; k++)
            {
                var i = o * sample.Columns + k;
                const float step = 1e-2f;
                var v = band.Variables[i];
                band.Variables[i] = v + step;
                var above = band.Gradient(0, Rows, lambda, beta).Loss;
                band.Variables[i] = v - step;
                var below = band.Gradient(0, Rows, lambda, beta).Loss;
                band.Variables[i] = v;
                if (gradient[i] == 0)
                {
                    continue; // outside the integers' range on one side
                }

                // Central differences of single precision losses of about 10: 1e-6·10/0.02, and the third derivative.
                Assert.Equal((above - below) / (2 * step), gradient[i], 0.02 * Math.Abs(gradient[i]) + 0.01);
                compared++;
            }
        }

        Assert.InRange(compared, 20, Outputs * Columns);
    }

    [Fact]
    public void The_rounding_does_not_depend_on_the_number_of_threads()
    {
        var weights = Numbers.Normal(5, 40 * Columns, 0.5);
        var scales = Enumerable.Repeat(0.2f, 40).ToArray();
        var sample = Sample(weights, 40, new float[40]);
        var results = new[] { 1, 2, 3 }.Select(t => new AdaRound(new() { Iterations = 50 }, -8, 7, (0, 6)).Round(weights, Columns, scales, [], sample, t)).ToArray();
        Assert.Equal(results[0], results[1]);
        Assert.Equal(results[0], results[2]);
    }

    private static (float[] Weights, LayerSample Sample) Layer()
    {
        var weights = Numbers.Normal(1, Outputs * Columns, 0.5);
        return (weights, Sample(weights, Outputs, Bias));
    }

    // Correlated inputs, where rounding to the nearest is far from best; what the layer reads is itself a little off.
    private static LayerSample Sample(float[] weights, int outputs, float[] bias)
    {
        var (mixing, noise) = (Numbers.Normal(2, Columns * 3, 1), Numbers.Normal(3, Rows * Columns, 0.05));
        var causes = Numbers.Normal(4, Rows * 3, 1);
        var width = RowProducts.Padded(Columns, RowProducts.Lanes);
        var (inputs, targets) = (new float[Rows * width], new float[Rows * outputs]);
        for (var r = 0; r < Rows; r++)
        {
            for (var k = 0; k < Columns; k++)
            {
                var x = causes[r * 3] * mixing[k] + causes[r * 3 + 1] * mixing[Columns + k] + 0.3f * causes[r * 3 + 2] * mixing[2 * Columns + k];
                inputs[r * width + k] = x + noise[r * Columns + k];
                for (var o = 0; o < outputs; o++)
                {
                    targets[r * outputs + o] += weights[o * Columns + k] * x + (k == 0 ? bias[o] : 0);
                }
            }
        }

        return new(Rows, width, inputs, outputs, targets);
    }

    private static double Loss(LayerSample sample, int output, (float Minimum, float Maximum) clip, Func<int, float> weight)
    {
        var sum = 0d;
        for (var r = 0; r < Rows; r++)
        {
            var y = (double)Bias[output];
            for (var k = 0; k < Columns; k++)
            {
                y += weight(k) * sample.Inputs[r * sample.Columns + k];
            }

            sum += Math.Pow(Math.Clamp(y, clip.Minimum, clip.Maximum) - Math.Clamp(sample.Targets[r * sample.Outputs + output], clip.Minimum, clip.Maximum), 2);
        }

        return sum;
    }
}
