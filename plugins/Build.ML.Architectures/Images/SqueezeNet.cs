using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.Architectures;
using Build.ML.Architectures.Layers;
using Build.ML.Graph;

namespace Build.ML.Architectures.Images;

/// <summary>
/// SqueezeNet (Iandola et al.: AlexNet-level accuracy with 50x fewer parameters, 2016): fire modules without batch normalization; 1,235,496
/// parameters in version 1.1,
/// 1,248,424 in version 1.0.
/// </summary>
[Architecture("squeezenet")]
public sealed record SqueezeNet : ImageClassifier
{
    /// <summary>
    /// Pooling earlier (<c>v1_1</c>: 2.4 times less computation at the same accuracy) or as in the paper (<c>v1_0</c>). Default
    /// <c>v1_1</c>.
    /// </summary>
    public SqueezeNetVersion Version { get; init; } = SqueezeNetVersion.V1_1;

    /// <summary>Factor of all numbers of channels. Default 1.</summary>
    [Range(0.05, 8d)]
    public double Width { get; init; } = 1;

    /// <summary>Probability with which training zeroes an input of the last layer, 0 to 1. Default 0: there is no such layer.</summary>
    [Range(0d, 0.99)]
    public double Dropout { get; init; }

    /// <inheritdoc/>
    public override Model Build(long seed)
    {
        var net = new NetworkBuilder("squeezenet", seed);
        var x = net.Image(Channels, Size);
        x = Version == SqueezeNetVersion.V1_1
            ? Stages(Convolved(x, "features.0", 64, new(3, 2) { Padding = 0 }), (3, 2), (6, 2), (9, 4))
            : Stages(Convolved(x, "features.0", 96, new(7, 2) { Padding = 0 }), (3, 3), (7, 4), (12, 1));
        x = x with { Value = net.Dropout(x.Value, "classifier.0", Dropout) };
        x = net.Convolution(x, "classifier.1", Classes, new(1), Initial.Normal(0.01), Initial.Zeros);
        return net.FinishClassifier(net.GlobalPool(net.Activate(x, "classifier.2", Activation.Relu), "classifier.3"), Classes);

        // Pooling, then fire modules: the number of the first and how many.
        Feature Stages(Feature input, params ReadOnlySpan<(int First, int Count)> stages)
        {
            var fire = 0;
            foreach (var (first, count) in stages)
            {
                input = net.MaxPool(input, $"features.{first - 1}", new(3, 2) { Padding = 0 }, ceiling: true);
                for (var i = first; i < first + count; i++, fire++)
                {
                    // Squeezed channels 16 16 32 32 48 48 64 64; each expansion four times as many.
                    var squeezed = Scaled(16 * ((fire / 2) + 1));
                    input = Fire(input, $"features.{i}", squeezed, 4 * squeezed);
                }
            }

            return input;
        }

        Feature Fire(Feature input, string name, int squeezed, int expanded)
        {
            var squeeze = Convolved(input, name + ".squeeze", squeezed, new(1));
            return net.Concatenated(
                Convolved(squeeze, name + ".expand1x1", expanded, new(1)), Convolved(squeeze, name + ".expand3x3", expanded, new(3)), name + ".concat");
        }

        // Kaiming in its uniform form: ±√(6/fan).
        Feature Convolved(Feature input, string name, int channels, Window window)
        {
            var fan = input.Channels * window.Kernel * window.Kernel;
            var outputs = name == "features.0" ? Scaled(channels) : channels;
            return net.Activate(
                net.Convolution(input, name, outputs, window, Initial.Uniform(Math.Sqrt(6.0 / fan)), Initial.Zeros), name + ".activation", Activation.Relu);
        }
    }

    private int Scaled(int channels) => Layers.Channels.Simple(channels, Width);
}

/// <summary>Versions of SqueezeNet.</summary>
public enum SqueezeNetVersion
{
    /// <summary>With earlier pooling.</summary>
    V1_1,

    /// <summary>As in the paper.</summary>
    V1_0,
}
