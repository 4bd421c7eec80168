using System.Collections.Immutable;
using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.Architectures;
using Build.ML.Architectures.Layers;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;

namespace Build.ML.Architectures.Texts;

/// <summary>
/// TextCNN (Kim: Convolutional neural networks for sentence classification, 2014): embeddings, convolutions over several numbers of
/// neighbouring tokens, the largest of each over
/// the text, one linear layer. Output <c>logits</c> float[batch, classes].
/// </summary>
[Architecture("textcnn")]
public sealed record TextCnn : TextNetwork
{
    /// <summary>Number of classes. Default 2.</summary>
    [Range(1, 1_000_000)]
    public int Classes { get; init; } = 2;

    /// <summary>Number of tokens that have an embedding. Default 30522.</summary>
    [Range(1, 10_000_000)]
    public int Vocabulary { get; init; } = 30522;

    /// <summary>Elements of an embedding. Default 300.</summary>
    [Range(1, 65536)]
    public int Embedding { get; init; } = 300;

    /// <summary>Numbers of neighbouring tokens that convolutions see. Default 3, 4 and 5.</summary>
    [Range(1, 1024)]
    [MinLength(1)]
    public ImmutableArray<int> Windows { get; init; } = [3, 4, 5];

    /// <summary>Outputs of each convolution. Default 100.</summary>
    [Range(1, 65536)]
    public int Filters { get; init; } = 100;

    /// <inheritdoc/>
    /// <exception cref="DiagnosticException">BML6110 a window is wider than the text.</exception>
    public override Model Build(long seed)
    {
        var net = new NetworkBuilder("textcnn", seed);
        var ids = net.Tokens("input_ids", Length);
        // The paper's ±0.25 gives words that are not in its table of vectors the variance of those that are.
        var table = net.Weight("embedding.weight", Initial.Uniform(0.25), Vocabulary, Embedding);
        var x = net.Transpose(net.Embedding(ids, table, "embedding"), "embedding.turned", 0, 2, 1);
        var parts = new List<Value?>();
        foreach (var (i, window) in Windows.Index())
        {
            var active = net.Node("Relu", $"convs.{i}.activation", [Convolution(net, x, $"convs.{i}", window)]);
            parts.Add(net.Node("GlobalMaxPool", $"convs.{i}.largest", [active]));
        }

        var width = Windows.Length * Filters;
        var y = net.Node("Flatten", "features", [net.Node("Concat", "concat", [.. parts], NodeAttribute.Int("axis", 1))], NodeAttribute.Int("axis", 1));
        y = net.Linear(net.Dropout(y, "dropout", Dropout), "fc", width, Classes, Initial.Xavier(width, Classes), Initial.Zeros);
        return net.FinishClassifier(y, Classes);
    }

    private Value Convolution(NetworkBuilder net, Value x, string name, int window)
    {
        if (window > Length)
        {
            throw new DiagnosticException("BML6110", $"Layer '{name}' gets {Length} tokens, less than its window of {window}; "
                + "give a larger 'length' or smaller 'windows'.");
        }

        var weight = net.Weight(name + ".weight", Initial.Kaiming(Embedding * window), Filters, Embedding, window);
        return net.Node("Conv", name, [x, weight, net.Weight(name + ".bias", Initial.Zeros, Filters)], NodeAttribute.Ints("kernel_shape", window));
    }
}
