using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Autodiff.Tests;

/// <summary>Small networks of the families that exporters write: weights are called w_…, the output "logits".</summary>
public static class SampleModels
{
    /// <summary>Convolutions, batch normalization and residuals; images [N, 3, 10, 10], 5 classes.</summary>
    public static Model ResNet(int seed)
    {
        var g = new Builder(new Model(opset: 21), seed, 4, 3, 10, 10);
        var x = g.Input("image", DataType.Float);
        Value Block(Value v, int from, int to, int kernel, int stride, bool relu = true)
        {
            var y = g.Node("Conv", [v, g.Weight(to, from, kernel, kernel)], NodeAttribute.Ints("strides", stride, stride),
                NodeAttribute.Ints("pads", kernel / 2, kernel / 2, kernel / 2, kernel / 2), NodeAttribute.Ints("kernel_shape", kernel, kernel));
            y = g.Node("BatchNormalization", [y, g.Near(1, to), g.Weight(to), g.Constant(new float[to], to), g.Constant([.. Enumerable.Repeat(1f, to)], to)]);
            return relu ? g.Node("Relu", [y]) : y;
        }
        var h = Block(x, 3, 8, 3, 1);
        h = g.Node("Relu", [g.Node("Add", [h, Block(Block(h, 8, 8, 3, 1), 8, 8, 3, 1, relu: false)])]);
        h = g.Node("Relu", [g.Node("Add", [Block(h, 8, 16, 1, 2, relu: false), Block(Block(h, 8, 16, 3, 2), 16, 16, 3, 1, relu: false)])]);
        h = g.Node("Flatten", [g.Node("GlobalAveragePool", [h])]);
        return g.Finish(g.Node("Gemm", [h, g.Weight(5, 16), g.Weight(5)], NodeAttribute.Int("transB", 1)));
    }

    /// <summary>A BERT of one layer: embeddings of 23 words, 2 heads, GELU; 4 classes from the first position's state.</summary>
    public static Model Encoder(int seed, int width = 16, int length = 7, int batch = 3)
    {
        const int Heads = 2;
        var g = new Builder(new Model(opset: 21), seed, batch, length);
        Value Normalized(Value v) => g.Node("LayerNormalization", [v, g.Near(1, width), g.Weight(width)]);
        Value Linear(Value v, int from, int to) => g.Node("Add", [g.Node("MatMul", [v, g.Weight(from, to)]), g.Weight(to)]);
        var x = g.Node("Add", [g.Node("Gather", [g.Weight(23, width), g.Input("ids", DataType.Int64)]), g.Weight(length, width)]);
        x = Normalized(x);
        Value Turned(Value v, params long[] order) =>
            g.Node("Transpose", [g.Node("Reshape", [v, g.Integers(0, 0, Heads, width / Heads)])], NodeAttribute.Ints("perm", order));
        var scores = g.Node("Div", [g.Node("MatMul", [Turned(Linear(x, width, width), 0, 2, 1, 3), Turned(Linear(x, width, width), 0, 2, 3, 1)]), g.Constant([MathF.Sqrt(width / Heads)])]);
        var mixed = g.Node("MatMul", [g.Node("Softmax", [scores], NodeAttribute.Int("axis", -1)), Turned(Linear(x, width, width), 0, 2, 1, 3)]);
        mixed = g.Node("Reshape", [g.Node("Transpose", [mixed], NodeAttribute.Ints("perm", 0, 2, 1, 3)), g.Integers(0, 0, width)]);
        x = Normalized(g.Node("Add", [x, Linear(mixed, width, width)]));
        var inner = g.Node("Gelu", [Linear(x, width, 4 * width)], NodeAttribute.String("approximate", "tanh"));
        x = Normalized(g.Node("Add", [x, Linear(inner, 4 * width, width)]));
        var pooled = g.Node("Tanh", [Linear(g.Node("Gather", [x, g.Scalar(0)], NodeAttribute.Int("axis", 1)), width, width)]);
        return g.Finish(Linear(pooled, width, 4));
    }

    /// <summary>A Llama of one layer: 29 words, 4 heads on 2 of keys and values, rotary positions, RMS normalization and SwiGLU written out.</summary>
    public static Model Llama(int seed, int length)
    {
        const int Width = 16, Heads = 4, Groups = 2, Head = 4;
        var g = new Builder(new Model(opset: 21), seed, 2, length);
        Value Normalized(Value v)
        {
            var mean = g.Node("ReduceMean", [g.Node("Pow", [v, g.Constant([2f])]), g.Integers(-1)]);
            return g.Node("Mul", [g.Node("Div", [v, g.Node("Sqrt", [g.Node("Add", [mean, g.Constant([1e-5f])])])]), g.Near(1, Width)]);
        }
        Value Linear(Value v, int from, int to) => g.Node("MatMul", [v, g.Weight(from, to)]);
        float Angle(int i) => i / (Head / 2) * MathF.Pow(10000, -2f * (i % (Head / 2)) / Head);
        var cos = g.Constant([.. Enumerable.Range(0, length * Head / 2).Select(i => MathF.Cos(Angle(i)))], length, Head / 2);
        var sin = g.Constant([.. Enumerable.Range(0, length * Head / 2).Select(i => MathF.Sin(Angle(i)))], length, Head / 2);
        Value Turned(Value v)
        {
            Value Half(int start) => g.Node("Slice", [v, g.Integers(start), g.Integers(start + Head / 2), g.Integers(-1)]);
            var (a, b) = (Half(0), Half(Head / 2));
            return g.Node("Concat",
            [
                g.Node("Sub", [g.Node("Mul", [a, cos]), g.Node("Mul", [b, sin])]), g.Node("Add", [g.Node("Mul", [b, cos]), g.Node("Mul", [a, sin])]),
            ], NodeAttribute.Int("axis", -1));
        }
        Value Split(Value v, int heads) => g.Node("Transpose", [g.Node("Reshape", [v, g.Integers(0, 0, heads, Head)])], NodeAttribute.Ints("perm", 0, 2, 1, 3));
        Value Repeated(Value v) => g.Node("Reshape",
        [
            g.Node("Expand", [g.Node("Unsqueeze", [v, g.Integers(2)]), g.Integers(2, Groups, Heads / Groups, length, Head)]), g.Integers(0, Heads, length, Head),
        ]);

        var embedding = g.Weight(29, Width);
        var x = g.Node("Gather", [embedding, g.Input("ids", DataType.Int64)]);
        var h = Normalized(x);
        var (q, k, v) = (Turned(Split(Linear(h, Width, Width), Heads)), Turned(Split(Linear(h, Width, Groups * Head), Groups)), Split(Linear(h, Width, Groups * Head), Groups));
        var scores = g.Node("Mul", [g.Node("MatMul", [q, g.Node("Transpose", [Repeated(k)], NodeAttribute.Ints("perm", 0, 1, 3, 2))]), g.Constant([0.5f])]);
        var mask = g.Constant([.. Enumerable.Range(0, length * length).Select(i => i % length > i / length ? -1e9f : 0)], length, length);
        var mixed = g.Node("MatMul", [g.Node("Softmax", [g.Node("Add", [scores, mask])], NodeAttribute.Int("axis", -1)), Repeated(v)]);
        mixed = g.Node("Reshape", [g.Node("Transpose", [mixed], NodeAttribute.Ints("perm", 0, 2, 1, 3)), g.Integers(0, 0, Width)]);
        x = g.Node("Add", [x, Linear(mixed, Width, Width)]);
        h = Normalized(x);
        var gate = Linear(h, Width, 40);
        var swish = g.Node("Mul", [gate, g.Node("Sigmoid", [gate])]);
        x = g.Node("Add", [x, Linear(g.Node("Mul", [swish, Linear(h, Width, 40)]), 40, Width)]);
        return g.Finish(g.Node("MatMul", [Normalized(x), g.Node("Transpose", [embedding])])); // tied
    }

    public static Tensor Normal(int seed, params long[] sizes) => new Cases.CaseRandom(seed).Normal(sizes);

    public static Tensor Ids(int seed, int words, params long[] sizes) => new Cases.CaseRandom(seed).Indices(words, sizes);

    sealed class Builder(Model model, int seed, params long[] inputSizes)
    {
        readonly Cases.CaseRandom random = new(seed);
        int count;

        public Value Input(string name, DataType type) => model.Graph.AddInput(name, new TensorType(type, Shape.Of(inputSizes)));

        public Value Node(string opType, Value[] inputs, params NodeAttribute[] attributes)
        {
            var value = model.Graph.Add(opType, inputs, $"{opType}_{count++}");
            foreach (var attribute in attributes)
                value.Producer!.SetAttribute(attribute);
            return value;
        }

        /// <summary>Normal numbers scaled by 1/√(inputs of one output).</summary>
        public Value Weight(params long[] sizes) => Near(0, sizes);

        public Value Near(float mean, params long[] sizes)
        {
            var scale = (float)(sizes.Length == 1 ? 0.3 : 1 / Math.Sqrt(sizes.Length == 2 ? sizes.Max() : sizes[1..].Aggregate((a, b) => a * b)));
            return model.Graph.AddInitializer($"w_{count++}", Tensor.Of(Array.ConvertAll(random.Normal(sizes).ToArray<float>(), v => mean + scale * v), sizes));
        }

        public Value Constant(float[] values, params long[] sizes) => model.Graph.AddInitializer($"c_{count++}", Tensor.Of(values, sizes));

        public Value Integers(params long[] values) => model.Graph.AddInitializer($"c_{count++}", Tensor.Of(values, values.Length));

        public Value Scalar(long value) => model.Graph.AddInitializer($"c_{count++}", Tensor.Scalar(value));

        public Model Finish(Value logits)
        {
            model.Graph.Rename(logits, "logits");
            model.Graph.AddOutput(logits);
            return model;
        }
    }
}
