using Build.ML.Abstractions.Inference;
using Build.ML.Graph;
using Build.ML.Graph.Catalogs;

namespace Build.ML.Training.Tests;

public sealed class OptimizerTests
{
    // 10,007: a prime, so that neither vectors nor pieces divide it.
    const int Count = 10_007;

    public static TheoryData<Optimizer> Optimizers =>
    [
        new GradientDescent { Momentum = 0 }, new GradientDescent { WeightDecay = 0.02 }, new GradientDescent { Nesterov = true, WeightDecay = 0.02 }, new Adam(),
        new Adam { WeightDecay = 0.1, Beta2 = 0.95 }, new AdamW { WeightDecay = 0.3, LearningRate = 0.02 }, new Lion { WeightDecay = 1, LearningRate = 0.01 }, new RmsProp(),
        new RmsProp { Momentum = 0.8, WeightDecay = 0.1 },
    ];

    static TrainedWeight Weight(Optimizer optimizer, int seed, int count = Count, bool average = false, bool sum = false)
    {
        var w = new TensorBuffer(DataType.Float, count);
        Fill(w, seed);
        return new TrainedWeight("w" + seed, w, new TensorBuffer(DataType.Float, count))
        {
            States = [.. Enumerable.Range(0, optimizer.StateCount).Select(_ => new TensorBuffer(DataType.Float, count))],
            WeightDecay = optimizer.WeightDecay,
            Average = average ? TensorBuffer.Of(w.ToTensor()) : null,
            Sum = sum ? new TensorBuffer(DataType.Float, count) : null,
        };
    }

    static void Fill(TensorBuffer buffer, int seed)
    {
        var random = new System.Random(seed);
        foreach (ref var x in buffer.Span<float>())
        {
            x = (float)(random.NextDouble() - 0.5);
        }
    }

    // The papers' formulas in double, written apart from the product's.
    static double[] Expected(Optimizer optimizer, double[] w, double[][] gradients)
    {
        var (a, b) = (new double[w.Length], new double[w.Length]);
        for (var t = 1; t <= gradients.Length; t++)
        {
            for (var i = 0; i < w.Length; i++)
            {
                var g = gradients[t - 1][i];
                var (lr, wd) = (optimizer.LearningRate, optimizer.WeightDecay);
                switch (optimizer)
                {
                    case GradientDescent o:
                        g += wd * w[i];
                        a[i] = o.Momentum * a[i] + g;
                        w[i] -= lr * (o.Nesterov ? g + o.Momentum * a[i] : a[i]);
                        break;
                    case AdaptiveMoments o:
                        g += o is Adam ? wd * w[i] : 0;
                        w[i] *= o is AdamW ? 1 - lr * wd : 1;
                        a[i] = o.Beta1 * a[i] + (1 - o.Beta1) * g;
                        b[i] = o.Beta2 * b[i] + (1 - o.Beta2) * g * g;
                        w[i] -= lr * (a[i] / (1 - Math.Pow(o.Beta1, t))) / (Math.Sqrt(b[i] / (1 - Math.Pow(o.Beta2, t))) + o.Epsilon);
                        break;
                    case Lion o:
                        w[i] = w[i] * (1 - lr * wd) - lr * Math.Sign(o.Beta1 * a[i] + (1 - o.Beta1) * g);
                        a[i] = o.Beta2 * a[i] + (1 - o.Beta2) * g;
                        break;
                    case RmsProp o:
                        g += wd * w[i];
                        a[i] = o.Alpha * a[i] + (1 - o.Alpha) * g * g;
                        b[i] = o.Momentum * b[i] + g / (Math.Sqrt(a[i]) + o.Epsilon);
                        w[i] -= lr * b[i];
                        break;
                    default:
                        throw new InvalidOperationException();
                }
            }
        }

        return w;
    }

    static double[] Doubles(TensorBuffer buffer) => [.. buffer.Span<float>().ToArray().Select(x => (double)x)];

    [Theory]
    [MemberData(nameof(Optimizers))]
    public void Six_steps_follow_the_formula_in_double(Optimizer optimizer)
    {
        using var w = Weight(optimizer, 1);
        var start = Doubles(w.Weights);
        var gradients = new double[6][];
        var update = new WeightUpdate(optimizer, [w], 2);
        for (var step = 1; step <= 6; step++)
        {
            Fill(w.Gradients, 100 + step);
            gradients[step - 1] = Doubles(w.Gradients);
            update.Apply(step, optimizer.LearningRate, 1);
        }

        // Six steps of at most 20 roundings each of numbers near 1, in units of 6e-8; a wrong sign of Lion's step would be 2e-2.
        var actual = Doubles(w.Weights);
        var expected = Expected(optimizer, start, gradients);
        Assert.All(Enumerable.Range(0, Count), i => Assert.Equal(expected[i], actual[i], 8e-6));
    }

    [Theory]
    [MemberData(nameof(Optimizers))]
    public void The_bits_do_not_depend_on_threads(Optimizer optimizer)
    {
        byte[] Bits(int threads)
        {
            using var a = Weight(optimizer, 1, 50_001, average: true);
            using var b = Weight(optimizer, 2, 7);
            var update = new WeightUpdate(optimizer, [a, b], threads);
            var norms = new List<double>();
            for (var step = 1; step <= 3; step++)
            {
                Fill(a.Gradients, step);
                Fill(b.Gradients, step);
                norms.Add(update.GradientNorm());
                update.Apply(step, optimizer.LearningRate, (float)(1 / norms[^1]));
                update.Average(0.9);
            }

            return [.. a.Lasting.Concat(b.Lasting).SelectMany(x => x.Span<byte>().ToArray()), .. norms.SelectMany(BitConverter.GetBytes)];
        }

        var one = Bits(1);
        Assert.Equal(one, Bits(2));
        Assert.Equal(one, Bits(3));
    }

    [Fact]
    public void Every_optimizer_has_a_name_and_default_options_that_learn()
    {
        var catalog = Catalog<Optimizer>.Scan(typeof(Optimizer).Assembly);
        Assert.Equal(["adam", "adamw", "lion", "rmsprop", "sgd"], catalog.Names);
        foreach (var entry in catalog)
        {
            // Minimizes (w − 3)² from 0: an optimizer with its default rate moves towards 3 and does not pass it by far.
            var optimizer = entry.Create();
            using var w = Weight(optimizer, 1, 1);
            w.Weights.Span<float>()[0] = 0;
            var update = new WeightUpdate(optimizer, [w], 1);
            for (var step = 1; step <= 500; step++)
            {
                w.Gradients.Span<float>()[0] = 2 * (w.Weights.Span<float>()[0] - 3);
                update.Apply(step, optimizer.LearningRate, 1);
            }

            Assert.InRange(w.Weights.Span<float>()[0], 0.04f, 3.1f);
        }
    }

    [Fact]
    public void Groups_multiply_the_rate_and_decay_as_they_say()
    {
        var optimizer = new GradientDescent { Momentum = 0 };
        using var w = new TrainedWeight("w", new TensorBuffer(DataType.Float, 1), new TensorBuffer(DataType.Float, 1)) { RateMultiplier = 0.5, WeightDecay = 0.25 };
        w.Weights.Span<float>()[0] = 4;
        w.Gradients.Span<float>()[0] = 2;
        new WeightUpdate(optimizer, [w], 1).Apply(1, 0.1, 1);
        Assert.Equal(4 - 0.5f * 0.1f * (2 + 0.25f * 4), w.Weights.Span<float>()[0], 1e-6f);
    }

    [Fact]
    public void The_norm_is_that_of_all_gradients_and_names_the_first_that_is_not_finite()
    {
        var optimizer = new GradientDescent();
        using var a = Weight(optimizer, 1);
        using var b = Weight(optimizer, 2, 3);
        var update = new WeightUpdate(optimizer, [a, b], 2);
        a.Gradients.Span<float>().Fill(1e25f); // whose square is no float32
        b.Gradients.Span<float>().Fill(2e25f);
        Assert.Equal(Math.Sqrt((Count + 12) * 1e50), update.GradientNorm(), 1e25 * 1e-4);
        Assert.Null(update.FirstNotFinite());
        b.Gradients.Span<float>()[2] = float.NaN;
        Assert.False(double.IsFinite(update.GradientNorm()));
        Assert.Same(b, update.FirstNotFinite());
        a.Gradients.Span<float>()[Count - 1] = float.PositiveInfinity;
        update.GradientNorm();
        Assert.Same(a, update.FirstNotFinite());
    }

    [Fact]
    public void Accumulated_gradients_act_as_their_sum()
    {
        var optimizer = new GradientDescent { Momentum = 0, LearningRate = 1 };
        using var w = Weight(optimizer, 1, 5, sum: true);
        var start = Doubles(w.Weights);
        var update = new WeightUpdate(optimizer, [w], 1);
        w.Gradients.Span<float>().Fill(1);
        update.Accumulate(first: true);
        w.Gradients.Span<float>().Fill(4);
        update.Accumulate(first: false);
        Assert.Equal(Math.Sqrt(5 * 25), update.GradientNorm(), 1e-9);
        update.Apply(1, 1, 0.5f);
        Assert.All(Enumerable.Range(0, 5), i => Assert.Equal(start[i] - 2.5, w.Weights.Span<float>()[i], 1e-6));
    }

    [Fact]
    public void The_moving_average_is_that_of_the_weights_after_each_step()
    {
        var optimizer = new GradientDescent { Momentum = 0, LearningRate = 1 };
        using var w = new TrainedWeight("w", new TensorBuffer(DataType.Float, 1), new TensorBuffer(DataType.Float, 1)) { Average = new TensorBuffer(DataType.Float, 1) };
        w.Gradients.Span<float>()[0] = -1;
        var update = new WeightUpdate(optimizer, [w], 1);
        update.Apply(1, 1, 1); // weights 1, 2
        update.Average(0.75);
        update.Apply(2, 1, 1);
        update.Average(0.75);
        Assert.Equal(0.75f * 0.25f + 0.25f * 2, w.Average!.Span<float>()[0]);
    }

    [Fact]
    public void Momentum_of_a_dead_weight_becomes_zero_and_not_subnormal()
    {
        var optimizer = new GradientDescent { LearningRate = 0.1 };
        using var w = Weight(optimizer, 1, 1);
        var update = new WeightUpdate(optimizer, [w], 1);
        w.Gradients.Span<float>()[0] = 1;
        update.Apply(1, 0.1, 1);
        w.Gradients.Span<float>()[0] = 0;
        for (var step = 2; step < 1000; step++)
        {
            update.Apply(step, 0.1, 1);
            Assert.False(float.IsSubnormal(w.States[0].Span<float>()[0]));
        }

        Assert.Equal(0f, w.States[0].Span<float>()[0]); // 0.9^n·1 would stop at 7e-45, where rounding takes 0.9·x for x
    }
}
