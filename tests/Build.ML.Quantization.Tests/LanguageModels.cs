using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Quantization.Tests;

/// <summary>Small transformers with seeded weights, as exporters write them: [n, s] ids → [n, s, vocabulary] logits.</summary>
sealed class LanguageModels
{
    public const int Width = 32, Heads = 4, KeyHeads = 2, HeadSize = 8, Inner = 40, Vocabulary = 24, Length = 6;

    private readonly OnnxGraph _graph;
    private int _seed = 500;

    private LanguageModels(OnnxGraph graph) => _graph = graph;

    /// <summary>Two layers of Llama: decomposed RMSNorm, grouped heads repeated by Unsqueeze and Expand, SwiGLU.</summary>
    public static Model Llama(bool isTied = false, bool isFused = false)
    {
        var model = new Model(new OnnxGraph("llama"), 17) { IrVersion = 8 };
        var b = new LanguageModels(model.Graph);
        var ids = model.Graph.AddInput("ids", new TensorType(DataType.Int64, new Shape(new Dimension("n"), new Dimension("s"))));
        var table = b.Weight("embedding", 1, Vocabulary, Width);
        var h = model.Graph.Add("Gather", [table, ids], "h0");
        for (var l = 0; l < 2; l++)
        {
            var n = b.RmsNorm(h, $"l{l}.attention_norm", isFused);
            h = model.Graph.Add("Add", [h, b.MatMul(b.Attention(n, l, KeyHeads, false), $"l{l}.o", Width, Width)], $"l{l}.h1");
            n = b.RmsNorm(h, $"l{l}.mlp_norm", isFused);
            var gate = b.MatMul(n, $"l{l}.gate", Width, Inner);
            var up = b.MatMul(n, $"l{l}.up", Width, Inner);
            var silu = model.Graph.Add("Mul", [gate, model.Graph.Add("Sigmoid", [gate], $"l{l}.sigmoid")], $"l{l}.silu");
            var down = b.MatMul(model.Graph.Add("Mul", [silu, up], $"l{l}.product"), $"l{l}.down", Inner, Width);
            h = model.Graph.Add("Add", [h, down], $"l{l}.h2");
        }

        var last = b.RmsNorm(h, "norm", isFused);
        var logits = isTied
            ? model.Graph.Add("MatMul", [last, model.Graph.Add("Transpose", [table], "head", [NodeAttribute.Ints("perm", 1, 0)])], "logits")
            : b.MatMul(last, "head", Width, Vocabulary);
        return Return(model, logits);
    }

    /// <summary>One layer of GPT: LayerNormalization with beta, one product for queries, keys and values, biases, ReLU, learned positions.</summary>
    public static Model Gpt()
    {
        var model = new Model(new OnnxGraph("gpt"), 17) { IrVersion = 8 };
        var b = new LanguageModels(model.Graph);
        var g = model.Graph;
        var ids = g.AddInput("ids", new TensorType(DataType.Int64, new Shape(new Dimension("n"), Length)));
        var h = g.Add("Add", [g.Add("Gather", [b.Weight("embedding", 1, Vocabulary, Width), ids], "tokens"), b.Weight("positions", 0.5, 1, Length, Width)], "h0");
        var n = b.LayerNorm(h, "attention_norm");
        h = g.Add("Add", [b.Linear(b.Attention(n, 0, Heads, true), "o", Width, Width), h], "h1");
        n = b.LayerNorm(h, "mlp_norm");
        var hidden = g.Add("Relu", [b.Linear(n, "up", Width, Inner)], "hidden");
        h = g.Add("Add", [b.Linear(hidden, "down", Inner, Width), h], "h2");
        return Return(model, b.MatMul(b.LayerNorm(h, "norm"), "head", Width, Vocabulary));
    }

    /// <summary>Ids to run a model on.</summary>
    public static Tensor Ids(int samples = 3)
    {
        var random = new Random(9);
        return Tensor.Of(Enumerable.Range(0, samples * Length).Select(_ => (long)random.Next(Vocabulary)).ToArray(), samples, Length);
    }

    private static Model Return(Model model, Value y)
    {
        y.Type = new TensorType(DataType.Float, new Shape(new Dimension("n"), new Dimension("s"), Vocabulary));
        model.Graph.AddOutput(y);
        return model;
    }

    private Value Weight(string name, double deviation, params long[] sizes) => _graph.AddInitializer(name + ".weight", Numbers.Tensor(_seed++, deviation, sizes));

    private Value Gamma(string name) =>
        _graph.AddInitializer(name + ".gamma", Tensor.Of(Array.ConvertAll(Numbers.Normal(_seed++, Width, 0.3), x => 1 + x), Width));

    private Value MatMul(Value x, string name, int from, int to) => _graph.Add("MatMul", [x, Weight(name, 1 / Math.Sqrt(from), from, to)], name);

    private Value Linear(Value x, string name, int from, int to) =>
        _graph.Add("Add", [MatMul(x, name + "_product", from, to), _graph.AddInitializer(name + ".bias", Numbers.Tensor(_seed++, 0.2, to))], name);

    private Value RmsNorm(Value x, string name, bool isFused)
    {
        if (isFused)
        {
            return _graph.Add("SimplifiedLayerNormalization", [x, Gamma(name)], name, [NodeAttribute.Float("epsilon", 1e-5f), NodeAttribute.Int("axis", -1)]);
        }

        var mean = _graph.Add("ReduceMean", [_graph.Add("Mul", [x, x], name + "_square")], name + "_mean", [NodeAttribute.Ints("axes", -1), NodeAttribute.Int("keepdims", 1)]);
        var root = _graph.Add("Sqrt", [_graph.Add("Add", [mean, _graph.AddInitializer(name + "_epsilon", Tensor.Of([1e-5f], 1))], name + "_sum")], name + "_root");
        return _graph.Add("Mul", [_graph.Add("Div", [x, root], name + "_normal"), Gamma(name)], name);
    }

    private Value LayerNorm(Value x, string name) => _graph.Add(
        "LayerNormalization", [x, Gamma(name), _graph.AddInitializer(name + ".beta", Numbers.Tensor(_seed++, 0.3, Width))], name, [NodeAttribute.Int("axis", -1)]);

    private Value Attention(Value n, int layer, int keyHeads, bool isPacked)
    {
        var p = $"l{layer}.";
        Value q, k, v;
        if (isPacked)
        {
            var packed = _graph.CreateNode("Split");
            packed.SetInputs(Linear(n, p + "qkv", Width, 3 * Width), _graph.AddInitializer(p + "sizes", Tensor.Of(new long[] { Width, Width, Width }, 3)));
            packed.SetAttribute(NodeAttribute.Int("axis", -1));
            (q, k, v) = (packed.AddOutput(p + "q"), packed.AddOutput(p + "k"), packed.AddOutput(p + "v"));
            _graph.InsertBefore(null, packed);
        }
        else
        {
            (q, k, v) = (MatMul(n, p + "q", Width, Width), MatMul(n, p + "k", Width, keyHeads * HeadSize), MatMul(n, p + "v", Width, keyHeads * HeadSize));
        }

        q = Turn(Split(q, p + "qh", Heads), p + "qt", 0, 2, 1, 3);
        k = Turn(Repeat(Turn(Split(k, p + "kh", keyHeads), p + "kt", 0, 2, 1, 3), p + "kr", keyHeads), p + "kT", 0, 1, 3, 2);
        v = Repeat(Turn(Split(v, p + "vh", keyHeads), p + "vt", 0, 2, 1, 3), p + "vr", keyHeads);
        var scores = _graph.Add("Softmax", [_graph.Add("MatMul", [q, k], p + "scores")], p + "weights", [NodeAttribute.Int("axis", -1)]);
        var mixed = Turn(_graph.Add("MatMul", [scores, v], p + "mixed"), p + "heads", 0, 2, 1, 3);
        return _graph.Add("Reshape", [mixed, Sizes(p + "joined", 0, 0, Width)], p + "attended");
    }

    private Value Split(Value x, string name, int heads) => _graph.Add("Reshape", [x, Sizes(name, 0, 0, heads, HeadSize)], name);

    private Value Turn(Value x, string name, params long[] perm) => _graph.Add("Transpose", [x], name, [NodeAttribute.Ints("perm", perm)]);

    // [n, kv, s, d] → [n, kv, 1, s, d] → [n, kv, g, s, d] → [n, h, s, d]
    private Value Repeat(Value x, string name, int keyHeads)
    {
        if (keyHeads == Heads)
        {
            return x;
        }

        var wide = _graph.Add("Unsqueeze", [x, _graph.AddInitializer(name + "_axis", Tensor.Of(new long[] { 2 }, 1))], name + "_wide");
        var repeated = _graph.Add("Expand", [wide, Sizes(name + "_to", 1, 1, Heads / keyHeads, 1, 1)], name + "_repeated");
        var length = _graph.Add("Gather", [_graph.Add("Shape", [x], name + "_shape"), _graph.AddInitializer(name + "_two", Tensor.Of(new long[] { 2 }, 1))], name + "_length");
        var sizes = _graph.Add("Concat", [Sizes(name + "_outer", -1, Heads), length, Sizes(name + "_inner", HeadSize)], name + "_to_sizes", [NodeAttribute.Int("axis", 0)]);
        return _graph.Add("Reshape", [repeated, sizes], name);
    }

    private Value Sizes(string name, params long[] sizes) => _graph.AddInitializer(name + "_sizes", Tensor.Of(sizes, sizes.Length));
}
