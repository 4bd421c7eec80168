using System.Collections.Immutable;
using System.Globalization;
using System.Text.RegularExpressions;
using Build.ML.Abstractions.Inference;
using Build.ML.Graph.Coupling;
using Build.ML.Graph.Tensors;
using Build.ML.Graph.Text;
using Build.ML.OnnxRuntime;

namespace Build.ML.Graph.Tests.Coupling;

/// <summary>Small models from text, with random weights.</summary>
static partial class CouplingModels
{
    /// <summary>A model from text whose weights are declared as <c>float[4,3] w</c>, without elements.</summary>
    /// <param name="signature">Such as <c>(float[1,3] x) => (float[1,2] y)</c>.</param>
    /// <param name="weights">Such as <c>float[3,2] w, int64[2] shape = {1, 2}</c>.</param>
    /// <param name="nodes">One a line.</param>
    /// <param name="opset">Version of ONNX's operator set.</param>
    public static Model Parse(string signature, string weights, string nodes, int opset = 17)
    {
        var random = new Random(1);
        var filled = Weight().Replace(weights, match =>
        {
            var count = match.Groups["sizes"].Value.Split(',').Aggregate(1, (a, b) => a * int.Parse(b, CultureInfo.InvariantCulture));
            return match.Value + " = {" + string.Join(", ", Enumerable.Range(0, count)
                .Select(_ => (0.1f + random.NextSingle()).ToString("r", CultureInfo.InvariantCulture))) + "}";
        });
        return ModelText.Parse($"<ir_version: 8, opset_import: [\"\": {opset}, \"com.microsoft\": 1]>\nmain {signature}\n<{filled}>\n{{\n{nodes}\n}}");
    }

    /// <summary>Removes positions of the axis that a dimension is.</summary>
    public static void Remove(Model model, string value, int dimension, params int[] positions)
    {
        var coupling = ChannelCoupling.Analyze(model);
        var axis = coupling.AxisOf(model.Graph.Find(value)!, dimension);
        Assert.NotNull(axis);
        coupling.Remove(new Dictionary<ChannelAxis, IReadOnlyList<int>> { [axis] = positions });
        Assert.Empty(model.Validate());
    }

    /// <summary>Outputs for inputs 1, 2, 3, … scaled to be small.</summary>
    public static ImmutableArray<Tensor> Run(Model model)
    {
        using var session = new OnnxRuntimeInference().Open(model, new InferenceOptions { Optimize = false });
        return session.Run([.. session.Inputs.Select(i => KeyValuePair.Create(i.Key, Feed((TensorType)i.Value)))]);
    }

    private static Tensor Feed(TensorType type)
    {
        var sizes = type.Shape!.Dimensions.Select(d => d.Size ?? 2).ToArray();
        var count = (int)sizes.Aggregate(1L, (a, b) => a * b);
        return type.ElementType == DataType.Float
            ? Tensor.Of([.. Enumerable.Range(1, count).Select(i => i / (float)count)], sizes)
            : Tensor.Of([.. Enumerable.Range(0, count).Select(i => i % 3L)], sizes);
    }

    [GeneratedRegex(@"float\[(?<sizes>[\d,]+)\] [\w.]+(?= *(,|$))")]
    private static partial Regex Weight();
}
