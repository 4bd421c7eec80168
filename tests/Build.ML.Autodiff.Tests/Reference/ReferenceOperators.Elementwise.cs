using Build.ML.Graph;
using Build.ML.Graph.Ir;

namespace Build.ML.Autodiff.Tests.Reference;

/// <summary>ONNX's operators in double precision, written to be read: one method for each, found by its name.</summary>
public static partial class ReferenceOperators
{
    public static DoubleTensor[] Identity(Node node, DoubleTensor?[] x) => [x[0]!];
    public static DoubleTensor[] Add(Node node, DoubleTensor?[] x) => [DoubleTensor.Zip(x[0]!, x[1]!, (a, b) => a + b)];
    public static DoubleTensor[] Sub(Node node, DoubleTensor?[] x) => [DoubleTensor.Zip(x[0]!, x[1]!, (a, b) => a - b)];
    public static DoubleTensor[] Mul(Node node, DoubleTensor?[] x) => [DoubleTensor.Zip(x[0]!, x[1]!, (a, b) => a * b)];
    public static DoubleTensor[] Div(Node node, DoubleTensor?[] x) => [DoubleTensor.Zip(x[0]!, x[1]!, (a, b) => a / b)];
    public static DoubleTensor[] Pow(Node node, DoubleTensor?[] x) => [DoubleTensor.Zip(x[0]!, x[1]!, Math.Pow)];
    public static DoubleTensor[] Relu(Node node, DoubleTensor?[] x) => [x[0]!.Map(v => Math.Max(v, 0))];
    public static DoubleTensor[] Sigmoid(Node node, DoubleTensor?[] x) => [x[0]!.Map(v => 1 / (1 + Math.Exp(-v)))];
    public static DoubleTensor[] Tanh(Node node, DoubleTensor?[] x) => [x[0]!.Map(Math.Tanh)];
    public static DoubleTensor[] Sqrt(Node node, DoubleTensor?[] x) => [x[0]!.Map(Math.Sqrt)];

    // The tanh form only: .NET has no erf.
    public static DoubleTensor[] Gelu(Node node, DoubleTensor?[] x) => node.String("approximate", "none") == "tanh"
        ? [x[0]!.Map(v => 0.5 * v * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (v + 0.044715 * v * v * v))))]
        : throw new NotSupportedException("Gelu by erf in the reference.");

    public static DoubleTensor[] Cast(Node node, DoubleTensor?[] x) => [(DataType)node.Int("to", 0) switch
    {
        DataType.Bool => x[0]!.Map(v => v == 0 ? 0 : 1),
        DataType.Float or DataType.Double => x[0]!,
        _ => x[0]!.Map(Math.Truncate),
    }];

    public static DoubleTensor[] Softmax(Node node, DoubleTensor?[] x)
    {
        var y = DoubleTensor.OfSizes(x[0]!.Sizes);
        var (before, along, behind) = y.Around(y.Axis(node.Int("axis", -1)));
        for (var i = 0; i < before; i++)
            for (var k = 0; k < behind; k++)
            {
                int At(int j) => (i * along + j) * behind + k;
                double largest = double.NegativeInfinity, sum = 0;
                for (var j = 0; j < along; j++)
                    largest = Math.Max(largest, x[0]!.Data[At(j)]);
                for (var j = 0; j < along; j++)
                    sum += y.Data[At(j)] = Math.Exp(x[0]!.Data[At(j)] - largest);
                for (var j = 0; j < along; j++)
                    y.Data[At(j)] /= sum;
            }
        return [y];
    }

    public static DoubleTensor[] ReduceMean(Node node, DoubleTensor?[] x) => [Reduce(node, x, v => v.Average())];
    public static DoubleTensor[] ReduceSum(Node node, DoubleTensor?[] x) => [Reduce(node, x, v => v.Sum())];
    public static DoubleTensor[] ReduceL2(Node node, DoubleTensor?[] x) => [Reduce(node, x, v => Math.Sqrt(v.Sum(e => e * e)))];

    public static DoubleTensor[] LayerNormalization(Node node, DoubleTensor?[] x)
    {
        var axis = x[0]!.Axis(node.Int("axis", -1));
        int[] axes = [.. Enumerable.Range(axis, x[0]!.Rank - axis)];
        var centred = DoubleTensor.Zip(x[0]!, x[0]!.Reduce(axes, true, v => v.Average()), (a, m) => a - m);
        var deviation = centred.Reduce(axes, true, v => Math.Sqrt(v.Average(e => e * e) + node.Float("epsilon", 1e-5f)));
        var scaled = DoubleTensor.Zip(DoubleTensor.Zip(centred, deviation, (a, d) => a / d), x[1]!, (a, s) => a * s);
        return [x.Length > 2 && x[2] is { } bias ? DoubleTensor.Zip(scaled, bias, (a, b) => a + b) : scaled];
    }

    // Axes are an attribute or an input, by the operator set.
    static DoubleTensor Reduce(Node node, DoubleTensor?[] x, Func<double[], double> f)
    {
        var named = node.Ints("axes") is { IsDefault: false } attribute ? [.. attribute] : x.Length > 1 && x[1] is { } input ? input.Integers() : [];
        int[] axes = named.Length > 0 ? [.. named.Select(x[0]!.Axis)] : [.. Enumerable.Range(0, x[0]!.Rank)];
        return x[0]!.Reduce(axes, node.Int("keepdims", 1) != 0, f);
    }
}
