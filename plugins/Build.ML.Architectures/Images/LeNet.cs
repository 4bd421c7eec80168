using Build.ML.Abstractions.Architectures;
using Build.ML.Architectures.Layers;
using Build.ML.Graph;
using Build.ML.Graph.Ir;

namespace Build.ML.Architectures.Images;

/// <summary>
/// LeNet-5 (LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to document recognition, 1998), with every map of the second
/// layer reading every map of
/// the first: 61,706 parameters for digits of 28×28.
/// </summary>
[Architecture("lenet")]
public sealed record LeNet : ImageClassifier
{
    /// <summary>A LeNet for digits.</summary>
    public LeNet() => (Classes, Channels, Size) = (10, 1, 28);

    /// <summary>
    /// Activation and pooling: <c>classic</c> tanh and mean, <c>modern</c> ReLU and maximum. Default <c>modern</c>, which learns faster. <c>caffe</c> is the wider network
    /// of 431,080 parameters that papers on compression call LeNet-5.
    /// </summary>
    public LeNetVariant Variant { get; init; } = LeNetVariant.Modern;

    /// <inheritdoc/>
    public override Model Build(long seed)
    {
        var net = new NetworkBuilder("lenet", seed);
        var modern = Variant != LeNetVariant.Classic;
        var x = net.Image(Channels, Size);
        if (Variant == LeNetVariant.Caffe)
        {
            x = net.MaxPool(Convolution(x, "conv1", 20, 0), "pool1", new(2, 2) { Padding = 0 });
            x = net.MaxPool(Convolution(x, "conv2", 50, 0), "pool2", new(2, 2) { Padding = 0 });
            var features = x.Channels * x.Size * x.Size;
            var hidden = Activated(Linear(Flat(x), "fc1", features, 500), "fc1.activation");
            return net.FinishClassifier(Linear(hidden, "fc2", 500, Classes), Classes);
        }

        // 28×28 are seen as the paper's 32×32, with a margin of 2.
        x = Pooled(Convolved(x, "conv1", 6, 2), "pool1");
        x = Pooled(Convolved(x, "conv2", 16, 0), "pool2");
        var inputs = x.Channels * x.Size * x.Size;
        var y = Activated(Linear(Flat(x), "fc1", inputs, 120), "fc1.activation");
        y = Activated(Linear(y, "fc2", 120, 84), "fc2.activation");
        return net.FinishClassifier(Linear(y, "fc3", 84, Classes), Classes);

        Feature Convolution(Feature input, string name, int channels, int padding)
        {
            var fan = input.Channels * 25;
            return net.Convolution(input, name, channels, new(5) { Padding = padding }, Fill(fan), Fill(fan));
        }

        Feature Convolved(Feature input, string name, int channels, int padding) =>
            net.Activate(Convolution(input, name, channels, padding), name + ".activation", Function());

        Value Flat(Feature input) => net.Node("Flatten", "flat", [input.Value], NodeAttribute.Int("axis", 1));

        Feature Pooled(Feature input, string name) =>
            modern ? net.MaxPool(input, name, new(2, 2) { Padding = 0 }) : net.AveragePool(input, name, new(2, 2) { Padding = 0 });

        Value Linear(Value input, string name, int fan, int outputs) => net.Linear(input, name, fan, outputs, Fill(fan), Fill(fan));

        Value Activated(Value input, string name) => net.Activate(new(input, 1, 1), name, Function()).Value;

        Activation Function() => modern ? Activation.Relu : Activation.Tanh;

        // The paper's ±2.4/fan suits tanh; ReLU needs more.
        WeightFill Fill(int fan) => modern ? Initial.Fan(fan) : Initial.Uniform(2.4 / fan);
    }
}

/// <summary>Forms of LeNet.</summary>
public enum LeNetVariant
{
    /// <summary>ReLU and maximum pooling.</summary>
    Modern,

    /// <summary>Tanh and mean pooling.</summary>
    Classic,

    /// <summary>
    /// That of Caffe's examples (Jia et al. 2014): 20 and 50 maps, seen without margin and activation, maximum pooling, one hidden layer of 500 with ReLU. 431,080 parameters
    /// for digits of 28×28.
    /// </summary>
    Caffe,
}
