using System.Globalization;
using System.Runtime.InteropServices;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Benchmarks.Frame;

/// <summary>Sizes of a decoder as Llama 2 has it (Touvron et al. 2023): the defaults are those of 7 billion parameters.</summary>
/// <param name="Layers">Decoder layers.</param>
/// <param name="Hidden">Width of the residual stream.</param>
/// <param name="Heads">Attention heads; <paramref name="Hidden"/> is a multiple.</param>
/// <param name="Inner">Width of the feed-forward part.</param>
/// <param name="Vocabulary">Number of tokens.</param>
public sealed record LlamaSizes(int Layers = 32, int Hidden = 4096, int Heads = 32, int Inner = 11008, int Vocabulary = 32000)
{
    /// <summary>Number of weights, those of the norms included.</summary>
    public long Parameters => (2L * Vocabulary * Hidden) + Hidden + (Layers * ((4L * Hidden * Hidden) + (3L * Hidden * Inner) + (2L * Hidden)));
}

/// <summary>
/// Writes a Llama-shaped language model, half precision throughout, seeded pseudo-random weights in external data: RMSNorm decomposed and computed in single
/// precision, rotary positions from tables, causal attention, SwiGLU. <c>input_ids</c> int64 [batch, sequence] → <c>logits</c> [batch, sequence, vocabulary]; no key-value cache.
/// </summary>
public sealed class LlamaModel
{
    private const int Positions = 2048;
    private readonly LlamaSizes _sizes;
    private readonly OnnxGraph _graph = new("llama");
    private int _seed = 1;

    private LlamaModel(LlamaSizes sizes) => _sizes = sizes;

    /// <summary>Writes the model; weights are made and written one at a time.</summary>
    /// <param name="path">New file; weights go beside it.</param>
    /// <param name="sizes">Its sizes.</param>
    public static void Write(string path, LlamaSizes sizes)
    {
        var llama = new LlamaModel(sizes);
        using var model = new Model(llama._graph, 21) { IrVersion = 10, ProducerName = "Build.ML.Benchmarks" };
        llama.Build();
        model.Save(path, new SaveOptions { ExternalData = ExternalData.Always });
    }

    private void Build()
    {
        var ids = _graph.AddInput("input_ids", new TensorType(DataType.Int64, new Shape(new Dimension("batch"), new Dimension("sequence"))));
        var length = _graph.Add("Shape", [ids], "length", [NodeAttribute.Int("start", 1), NodeAttribute.Int("end", 2)]);
        var scalar = _graph.Add("Squeeze", [length], "length_scalar");
        var positions = _graph.Add("Range", [Int("zero_position", 0), scalar, Int("one_position", 1)], "positions");
        var rows = _graph.Add("Unsqueeze", [positions, Ints("last_axis", -1)], "rows");
        var mask = _graph.Add("Where", [_graph.Add("LessOrEqual", [positions, rows], "visible"), Half("seen", 0), Half("unseen", -65504)], "mask");
        var cosine = Table("cosine", Math.Cos, length);
        var sine = Table("sine", Math.Sin, length);
        var x = _graph.Add("Gather", [Weight("model.embed_tokens.weight", _sizes.Vocabulary, _sizes.Hidden, 1), ids], "embedded");
        for (var layer = 0; layer < _sizes.Layers; layer++)
        {
            var name = string.Create(CultureInfo.InvariantCulture, $"model.layers.{layer}");
            x = _graph.Add("Add", [x, Attention(Norm(x, name + ".input_layernorm"), mask, cosine, sine, name + ".self_attn")], name + ".attended");
            x = _graph.Add("Add", [x, FeedForward(Norm(x, name + ".post_attention_layernorm"), name + ".mlp")], name + ".output");
        }

        var logits = Linear(Norm(x, "model.norm"), "lm_head", _sizes.Hidden, _sizes.Vocabulary);
        _graph.Rename(logits, "logits");
        logits.Type = new TensorType(DataType.Float16, new Shape(new Dimension("batch"), new Dimension("sequence"), _sizes.Vocabulary));
        _graph.AddOutput(logits);
    }

    // x / √(mean x² + ε) · g, in single precision up to the gain.
    private Value Norm(Value x, string name)
    {
        var single = _graph.Add("Cast", [x], name + ".single", [NodeAttribute.Int("to", (long)DataType.Float)]);
        var square = _graph.Add("Mul", [single, single], name + ".square");
        var mean = _graph.Add("ReduceMean", [square, Ints("last_axis", -1)], name + ".mean", [NodeAttribute.Int("keepdims", 1)]);
        var root = _graph.Add("Sqrt", [_graph.Add("Add", [mean, Constant("epsilon", () => Tensor.Scalar(1e-5f))], name + ".biased")], name + ".root");
        var normal = _graph.Add("Cast", [_graph.Add("Div", [single, root], name + ".quotient")], name + ".normal", [NodeAttribute.Int("to", (long)DataType.Float16)]);
        var gain = _graph.AddInitializer(name + ".weight", Tensor.Of(Enumerable.Repeat((System.Half)1, _sizes.Hidden).ToArray()));
        return _graph.Add("Mul", [normal, gain], name + ".scaled");
    }

    private Value Attention(Value x, Value mask, Value cosine, Value sine, string name)
    {
        var size = _sizes.Hidden / _sizes.Heads;
        var split = Constant("split_heads", () => Tensor.Of<long>([0, 0, _sizes.Heads, size]));
        var query = Rotated(ToHeads("q"), cosine, sine, name + ".q");
        var key = Rotated(ToHeads("k"), cosine, sine, name + ".k");
        var scores = _graph.Add("MatMul", [query, _graph.Add("Transpose", [key], name + ".k_transposed", [NodeAttribute.Ints("perm", 0, 1, 3, 2)])], name + ".products");
        scores = _graph.Add("Add", [_graph.Add("Mul", [scores, Half("score_scale", (float)(1 / Math.Sqrt(size)))], name + ".scores"), mask], name + ".masked");
        var mixed = _graph.Add("MatMul", [_graph.Add("Softmax", [scores], name + ".weights", [NodeAttribute.Int("axis", -1)]), ToHeads("v")], name + ".mixed");
        mixed = _graph.Add("Transpose", [mixed], name + ".rejoined", [NodeAttribute.Ints("perm", 0, 2, 1, 3)]);
        mixed = _graph.Add("Reshape", [mixed, Constant("join_heads", () => Tensor.Of<long>([0, 0, _sizes.Hidden]))], name + ".joined");
        return Linear(mixed, name + ".o_proj", _sizes.Hidden, _sizes.Hidden);

        Value ToHeads(string part) => _graph.Add(
            "Transpose", [_graph.Add("Reshape", [Linear(x, $"{name}.{part}_proj", _sizes.Hidden, _sizes.Hidden), split], $"{name}.{part}_split")], $"{name}.{part}_heads",
            [NodeAttribute.Ints("perm", 0, 2, 1, 3)]);
    }

    // x·cos + (−x₂, x₁)·sin: Su et al. 2021, "RoFormer", with halves instead of pairs, as Llama's checkpoints in wide use have it.
    private Value Rotated(Value x, Value cosine, Value sine, string name)
    {
        var half = _sizes.Hidden / _sizes.Heads / 2;
        var first = _graph.Add("Slice", [x, Ints("slice_start", 0), Ints("slice_half", half), Ints("last_axis", -1)], name + "_first");
        var second = _graph.Add("Slice", [x, Ints("slice_half", half), Ints("slice_end", int.MaxValue), Ints("last_axis", -1)], name + "_second");
        var turned = _graph.Add("Concat", [_graph.Add("Neg", [second], name + "_negated"), first], name + "_turned", [NodeAttribute.Int("axis", -1)]);
        return _graph.Add("Add", [_graph.Add("Mul", [x, cosine], name + "_cosine"), _graph.Add("Mul", [turned, sine], name + "_sine")], name + "_rotated");
    }

    private Value FeedForward(Value x, string name)
    {
        var gate = Linear(x, name + ".gate_proj", _sizes.Hidden, _sizes.Inner);
        var swish = _graph.Add("Mul", [gate, _graph.Add("Sigmoid", [gate], name + ".sigmoid")], name + ".swish");
        var product = _graph.Add("Mul", [swish, Linear(x, name + ".up_proj", _sizes.Hidden, _sizes.Inner)], name + ".product");
        return Linear(product, name + ".down_proj", _sizes.Inner, _sizes.Hidden);
    }

    private Value Linear(Value x, string name, int inputs, int outputs) =>
        _graph.Add("MatMul", [x, Weight(name + ".weight", inputs, outputs, 1 / Math.Sqrt(inputs))], name);

    private Value Weight(string name, int rows, int columns, double deviation)
    {
        var seed = _seed++;
        var length = 2L * rows * columns;
        return _graph.AddInitializer(name, new Tensor(DataType.Float16, [rows, columns], new ComputedContent(length, () => NormalHalves(length, deviation, seed))));
    }

    private Value Table(string name, Func<double, double> function, Value length)
    {
        var size = _sizes.Hidden / _sizes.Heads;
        var values = new System.Half[Positions * size];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = (System.Half)function(i / size * Math.Pow(10000, -2.0 * (i % size % (size / 2)) / size));
        }

        return _graph.Add("Slice", [_graph.AddInitializer(name + "_table", Tensor.Of(values, Positions, size)), Ints("slice_start", 0), length, Ints("slice_start", 0)], name);
    }

    private Value Int(string name, long value) => Constant(name, () => Tensor.Scalar(value));

    private Value Ints(string name, long value) => Constant(name, () => Tensor.Of([value], 1));

    private Value Half(string name, float value) => Constant(name, () => Tensor.Scalar((System.Half)value));

    private Value Constant(string name, Func<Tensor> tensor) => _graph.Find(name) ?? _graph.AddInitializer(name, tensor());

    // Sixteen random bits choose one of 65,536 normally distributed numbers: fast enough to write 13 GB.
    private static byte[] NormalHalves(long length, double deviation, int seed)
    {
        var random = new Random(seed);
        var table = new ushort[1 << 16];
        for (var i = 0; i < table.Length; i++)
        {
            var normal = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
            table[i] = BitConverter.HalfToUInt16Bits((System.Half)(deviation * normal));
        }

        var bytes = GC.AllocateUninitializedArray<byte>(checked((int)length));
        var halves = MemoryMarshal.Cast<byte, ushort>(bytes.AsSpan());
        var state = (ulong)seed;
        var bits = 0UL;
        for (var i = 0; i < halves.Length; i++, bits >>= 16)
        {
            if ((i & 3) == 0)
            {
                // SplitMix64 (Steele, Lea, Flood 2014)
                bits = state += 0x9E3779B97F4A7C15;
                bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9;
                bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EB;
                bits ^= bits >> 31;
            }

            halves[i] = table[(ushort)bits];
        }

        return bytes;
    }
}
