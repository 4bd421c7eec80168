using Build.ML.Training.Random;

namespace Build.ML.Architectures.Layers;

/// <summary>Fills a weight with initial values.</summary>
/// <param name="values">The whole weight, row-major.</param>
/// <param name="random">Numbers of this weight alone.</param>
delegate void WeightFill(Span<float> values, CounterRandom random);

/// <summary>
/// Distributions of initial weights. A fan is the number of products that one output sums (in) or one input takes part in (out).
/// </summary>
static class Initial
{
    /// <summary>1 everywhere.</summary>
    internal static WeightFill Ones { get; } = static (values, _) => values.Fill(1);

    /// <summary>0 everywhere.</summary>
    internal static WeightFill Zeros { get; } = static (values, _) => values.Clear();

    /// <summary>Normal, mean 0.</summary>
    internal static WeightFill Normal(double deviation) => (values, random) => random.FillNormal(values, 0, (float)deviation);

    /// <summary>Uniform in ±<paramref name="bound"/>.</summary>
    internal static WeightFill Uniform(double bound) => (values, random) => random.FillUniform(values, -(float)bound, (float)bound);

    /// <summary>
    /// Kaiming (He et al.: Delving deep into rectifiers, 2015): normal with variance 2/fan, which keeps the variance of activations through
    /// layers with ReLU
    /// (fan in) or that of gradients (fan out).
    /// </summary>
    internal static WeightFill Kaiming(int fan) => Normal(Math.Sqrt(2.0 / fan));

    /// <summary>
    /// Xavier (Glorot, Bengio: Understanding the difficulty of training deep feedforward neural networks, 2010): uniform in ±√(6/(in +
    /// out)).
    /// </summary>
    internal static WeightFill Xavier(int fanIn, int fanOut) => Uniform(Math.Sqrt(6.0 / (fanIn + fanOut)));

    /// <summary>Uniform in ±1/√fan: what PyTorch gives linear layers and convolutions that nobody initialises otherwise.</summary>
    internal static WeightFill Fan(int fan) => Uniform(1 / Math.Sqrt(fan));

    /// <summary>Normal, numbers beyond two deviations drawn again (the truncated normal of BERT and Inception).</summary>
    internal static WeightFill TruncatedNormal(double deviation) => (values, random) =>
    {
        random.FillNormal(values);
        var again = random.Fork(1);
        foreach (ref var value in values)
        {
            while (Math.Abs(value) > 2)
            {
                value = again.Normal();
            }

            value *= (float)deviation;
        }
    };
}
