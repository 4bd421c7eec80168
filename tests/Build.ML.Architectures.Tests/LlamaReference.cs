using System.Numerics;
using Build.ML.Architectures.Texts;
using Build.ML.Graph;

namespace Build.ML.Architectures.Tests;

/// <summary>Llama's equations in double precision, one number at a time; rotary positions by multiplication of complex numbers.</summary>
sealed class LlamaReference(LlamaDecoder sizes, Model model)
{
    readonly int _size = sizes.Hidden / sizes.Heads;

    internal double[] Logits(long[] tokens)
    {
        var table = Weight("model.embed_tokens.weight");
        var states = tokens.Select(t => table.AsSpan((int)t * sizes.Hidden, sizes.Hidden).ToArray()).ToArray();
        for (var layer = 0; layer < sizes.Layers; layer++)
        {
            var name = $"model.layers.{layer}";
            states = Sum(states, Attention([.. states.Select(s => Norm(s, name + ".input_layernorm"))], name + ".self_attn"));
            states = Sum(states, [.. states.Select(s => Feed(Norm(s, name + ".post_attention_layernorm"), name + ".mlp"))]);
        }

        return [.. states.Select(s => Norm(s, "model.norm")).SelectMany(
            s => Enumerable.Range(0, sizes.Vocabulary).Select(v => Dot(s, table.AsSpan(v * sizes.Hidden, sizes.Hidden))))];
    }

    double[][] Attention(double[][] inputs, string name)
    {
        var queries = inputs.Select((x, p) => Turned(Product(x, name + ".q_proj"), p)).ToArray();
        var keys = inputs.Select((x, p) => Turned(Product(x, name + ".k_proj"), p)).ToArray();
        var values = inputs.Select(x => Product(x, name + ".v_proj")).ToArray();
        var outputs = inputs.Select(_ => new double[sizes.Hidden]).ToArray();
        for (var position = 0; position < inputs.Length; position++)
        {
            for (var head = 0; head < sizes.Heads; head++)
            {
                var shared = head / (sizes.Heads / sizes.KeyHeads);
                var scores = Enumerable.Range(0, position + 1).Select(p => Math.Exp(
                    Dot(queries[position].AsSpan(head * _size, _size), keys[p].AsSpan(shared * _size, _size)) / Math.Sqrt(_size))).ToArray();
                for (var p = 0; p <= position; p++)
                    for (var i = 0; i < _size; i++)
                        outputs[position][(head * _size) + i] += scores[p] / scores.Sum() * values[p][(shared * _size) + i];
            }
        }

        return [.. outputs.Select(o => Product(o, name + ".o_proj"))];
    }

    double[] Turned(double[] x, int position)
    {
        var result = new double[x.Length];
        for (var head = 0; head < x.Length; head += _size)
        {
            for (var i = 0; i < _size / 2; i++)
            {
                var turned = new Complex(x[head + i], x[head + i + (_size / 2)])
                    * Complex.FromPolarCoordinates(1, position / Math.Pow(sizes.RotaryBase, 2.0 * i / _size));
                (result[head + i], result[head + i + (_size / 2)]) = (turned.Real, turned.Imaginary);
            }
        }

        return result;
    }

    double[] Feed(double[] x, string name)
    {
        var (gate, up) = (Product(x, name + ".gate_proj"), Product(x, name + ".up_proj"));
        return Product([.. gate.Zip(up, (g, u) => g / (1 + Math.Exp(-g)) * u)], name + ".down_proj");
    }

    double[] Norm(double[] x, string name)
    {
        var root = Math.Sqrt((x.Sum(v => v * v) / x.Length) + sizes.Epsilon);
        return [.. x.Zip(Weight(name + ".weight"), (v, w) => v / root * w)];
    }

    double[] Product(double[] x, string name)
    {
        var weight = Weight(name + ".weight");
        var result = new double[weight.Length / x.Length];
        for (var i = 0; i < x.Length; i++)
            for (var j = 0; j < result.Length; j++)
                result[j] += x[i] * weight[(i * result.Length) + j];
        return result;
    }

    double[] Weight(string name) => [.. model.Graph.Find(name)!.Initializer!.ToArray<float>().Select(v => (double)v)];

    static double[][] Sum(double[][] a, double[][] b) => [.. a.Zip(b, (x, y) => x.Zip(y, (u, v) => u + v).ToArray())];

    static double Dot(ReadOnlySpan<double> a, ReadOnlySpan<double> b)
    {
        var sum = 0.0;
        for (var i = 0; i < a.Length; i++)
            sum += a[i] * b[i];
        return sum;
    }
}
