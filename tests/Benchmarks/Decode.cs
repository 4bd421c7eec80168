using System.Collections.Immutable;
using Build.ML.Abstractions.Inference;
using Build.ML.Abstractions.Techniques;
using Build.ML.Benchmarks.Frame;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;
using Build.ML.Quantization.WeightOnly;

namespace Build.ML.Benchmarks;

/// <summary>One token through a stack of Llama's layers (root mean square norms, attention over a cache, gated products), 4 bits against float.</summary>
[Benchmark("decode")]
public sealed class Decode : IBenchmark
{
    private const int HeadSize = 128;
    private const int WideBlock = 128; // what docs/quantization.md recommends for speed
    private const int NarrowBlock = 32; // the default, more exact

    /// <inheritdoc/>
    public string Summary => "one token through a Llama-shaped stack in 4 bits, blocks of 128, over the same in float: at most 1/3.5 of the time; blocks of 32 beside it";

    /// <inheritdoc/>
    public Outcome Run(BenchmarkContext context)
    {
        var hidden = (int)context.Option("hidden", 2048);
        var past = (int)context.Option("past", 128);
        var options = new InferenceOptions { Threads = (int)context.Option("threads", Environment.ProcessorCount) };
        var inference = new OnnxRuntimeInference(context.Folder);
        using var model = Stack(hidden, (int)context.Option("layers", 4), past);
        using var real = inference.Open(model, options);
        using var narrow = Quantized(NarrowBlock);
        using var wide = Quantized(WideBlock);
        ImmutableArray<KeyValuePair<string, Tensor>> feeds =
        [
            new("x", Random(1, 1, 1, 1, hidden)), new("keys", Random(2, 1, 1, hidden / HeadSize, HeadSize, past)), new("values", Random(3, 1, 1, hidden / HeadSize, past, HeadSize)),
        ];
        var sides = Interleaved.Run(
            (int)context.Option("rounds", 15),
            "ms",
            ($"4 bits, blocks of {WideBlock}", () => Milliseconds(wide, feeds)),
            ($"4 bits, blocks of {NarrowBlock}", () => Milliseconds(narrow, feeds)),
            ("float", () => Milliseconds(real, feeds)));
        var ratio = sides[1].Median / sides[2].Median;
        return new Outcome(sides[0].Median / sides[2].Median, 1 / 3.5, "x float")
        {
            Details = [.. sides, new($"blocks of {NarrowBlock} over float", ratio, ratio, ratio, "x")],
        };

        IInferenceSession Quantized(int block)
        {
            using var stack = Stack(hidden, (int)context.Option("layers", 4), past);
            var quantization = new WeightQuantization.Options { BlockSize = block, AccuracyLevel = (int)context.Option("accuracy", 4) };
            var step = new StepContext
            {
                StepId = "int4",
                Data = _ => throw new NotSupportedException(),
                Model = _ => throw new NotSupportedException(),
                Inference = inference,
                ScratchDirectory = context.Folder,
            };
            return inference.Open(new WeightQuantization().Apply(stack, quantization, step).Model, options);
        }
    }

    private static double Milliseconds(IInferenceSession session, ImmutableArray<KeyValuePair<string, Tensor>> feeds)
    {
        const int Tokens = 5;
        return Interleaved.Seconds(() =>
        {
            for (var i = 0; i < Tokens; i++)
            {
                session.Run(feeds);
            }
        }) * 1000 / Tokens;
    }

    private static Model Stack(int hidden, int layers, int past)
    {
        var model = new Model(new OnnxGraph("decode"), 17) { IrVersion = 8, ProducerName = "Build.ML.Benchmarks" };
        var graph = model.Graph;
        var heads = hidden / HeadSize;
        Value value = graph.AddInput("x", Type(1, 1, hidden));
        var keys = graph.AddInput("keys", Type(1, heads, HeadSize, past));
        var values = graph.AddInput("values", Type(1, heads, past, HeadSize));
        var split = graph.AddInitializer("split", Tensor.Of<long>([1, heads, 1, HeadSize]));
        var join = graph.AddInitializer("join", Tensor.Of<long>([1, 1, hidden]));
        var scale = graph.AddInitializer("scale", Tensor.Scalar(1 / MathF.Sqrt(HeadSize)));
        var epsilon = graph.AddInitializer("epsilon", Tensor.Scalar(1e-5f));
        var seed = 10;
        for (var layer = 0; layer < layers; layer++)
        {
            // With one token and a full cache, its own key and value are one of the cache's columns: they are computed and added to it.
            var x = Norm(value);
            var q = graph.Add("Mul", [graph.Add("Reshape", [Product(x, hidden, hidden), split], "q"), scale], "scaled");
            var k = graph.Add("Reshape", [Product(x, hidden, hidden), graph.AddInitializer("column", Tensor.Of<long>([1, heads, HeadSize, 1]))], "k");
            var v = graph.Add("Reshape", [Product(x, hidden, hidden), split], "v");
            var weights = graph.Add("Softmax", [graph.Add("MatMul", [q, graph.Add("Add", [keys, k], "all_keys")], "scores")], "weights", [NodeAttribute.Int("axis", -1)]);
            var mixed = graph.Add("Reshape", [graph.Add("MatMul", [weights, graph.Add("Add", [values, v], "all_values")], "heads"), join], "mixed");
            value = graph.Add("Add", [value, Product(mixed, hidden, hidden)], "attended");
            x = Norm(value);
            var inner = hidden * 11 / 4; // 5632 for 2048, as in TinyLlama
            var gate = Product(x, hidden, inner);
            var gated = graph.Add("Mul", [graph.Add("Mul", [gate, graph.Add("Sigmoid", [gate], "sigmoid")], "silu"), Product(x, hidden, inner)], "gated");
            value = graph.Add("Add", [value, Product(gated, inner, hidden)], "fed");
        }

        value.Type = Type(1, 1, hidden);
        graph.AddOutput(value);
        return model;

        static TensorType Type(params ReadOnlySpan<long> sizes) => new(DataType.Float, Shape.Of(sizes));

        Value Product(Value input, int inputs, int outputs)
        {
            var own = seed++;
            var content = new ComputedContent((long)inputs * outputs * sizeof(float), () => Bytes(own, inputs * outputs, 1 / MathF.Sqrt(inputs)));
            return graph.Add("MatMul", [input, graph.AddInitializer($"w{own}", new Tensor(DataType.Float, [inputs, outputs], content))], $"product{own}");
        }

        Value Norm(Value input)
        {
            var square = graph.Add("ReduceMean", [graph.Add("Mul", [input, input], "squared")], "mean", [NodeAttribute.Ints("axes", -1)]);
            var weight = graph.AddInitializer("norm", Random(seed++, 1, hidden));
            return graph.Add("Mul", [graph.Add("Div", [input, graph.Add("Sqrt", [graph.Add("Add", [square, epsilon], "positive")], "root")], "normed"), weight], "x");
        }
    }

    private static Tensor Random(int seed, float scale, params ReadOnlySpan<long> sizes)
    {
        var count = 1L;
        foreach (var size in sizes)
        {
            count *= size;
        }

        return Tensor.OfBytes(DataType.Float, Bytes(seed, (int)count, scale), sizes);
    }

    private static byte[] Bytes(int seed, int count, float scale)
    {
        var random = new Random(seed);
        var bytes = new byte[count * sizeof(float)];
        for (var i = 0; i < count; i++)
        {
            BitConverter.TryWriteBytes(bytes.AsSpan(i * sizeof(float)), ((random.NextSingle() * 2) - 1) * scale);
        }

        return bytes;
    }
}
