using Build.ML.Abstractions.Selection;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Shapes;

namespace Build.ML.Quantization.Float16;

/// <summary>
/// Lets the nodes of the main graph compute in halves. A node stays float where its operator is blocked, where it holds subgraphs, or where the type of one of its values is not
/// known; values that pass between the two kinds go through a Cast, one for all readers.
/// </summary>
internal sealed class HalfGraph(Model model, HalfConversion.Options options, LayerSelection selection, HalfConstants constants)
{
    // Without a half form in ONNX, or (Range, CumSum, ArgMax…) where eleven bits of precision change what comes out.
    private static readonly HashSet<string> Blocked =
    [
        "ArgMax", "ArgMin", "ArrayFeatureExtractor", "Binarizer", "ConstantOfShape", "CumSum", "DequantizeLinear", "DynamicQuantizeLinear", "EyeLike", "ImageScaler",
        "Multinomial", "NonMaxSuppression", "QuantizeLinear", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Range", "Resize", "RoiAlign",
        "TopK", "Upsample",
    ];

    private readonly OnnxGraph _graph = model.Graph;
    private readonly HashSet<Node> _half = [];

    /// <summary>Converts the model in place.</summary>
    public void Convert(CancellationToken cancellation)
    {
        var types = ShapeInference.Infer(model).Types;
        var floats = _graph.Values.Where(v => ElementType(v) == DataType.Float).ToHashSet();
        foreach (var node in _graph.Nodes)
        {
            if (node.Domain.Length == 0 && !node.Is("Constant") && !Blocked.Contains(node.OpType) && !options.OpBlockList.Contains(node.OpType) && !node.Subgraphs.Any()
                && selection.ReasonToLeave(node) is null
                && node.Outputs.All(o => o.Name.Length == 0 || ElementType(o) != DataType.Undefined)
                && (node.Outputs.Any(floats.Contains) || node.Inputs.Any(i => i is not null && floats.Contains(i))))
            {
                _half.Add(node);
            }
        }

        var values = _graph.Values.Where(floats.Contains).ToArray();
        foreach (var value in values)
        {
            cancellation.ThrowIfCancellationRequested();
            if (value.Constant is not null)
            {
                ConvertConstant(value);
            }
            else if (value.Producer is { } producer ? _half.Contains(producer) : !options.KeepIoTypes && value.IsGraphInput)
            {
                BecomeHalf(value);
            }
            else
            {
                CastForHalves(value);
            }
        }

        foreach (var node in _half.Where(n => n.Is("Cast") && n.Int("to", 0) == (long)DataType.Float))
        {
            node.SetAttribute(NodeAttribute.Int("to", (long)DataType.Float16));
        }

        DataType ElementType(Value value) =>
            value.ElementType != DataType.Undefined ? value.ElementType : (types.GetValueOrDefault(value) as TensorType)?.ElementType ?? DataType.Undefined;
    }

    private void ConvertConstant(Value value)
    {
        var readers = value.Uses.Where(u => _half.Contains(u.Node)).ToArray();
        if (readers.Length == 0)
        {
            return;
        }

        var half = constants.Of(value);
        foreach (var reader in readers)
        {
            reader.Node.SetInput(reader.Index, half);
        }

        HalfConstants.RemoveIfUnused(value);
    }

    // The value itself holds halves from now on; who wants floats reads a Cast.
    private void BecomeHalf(Value value)
    {
        var floatReaders = value.Uses.Where(u => !_half.Contains(u.Node)).ToArray();
        var shape = (value.Type as TensorType)?.Shape;
        var returned = value.IsGraphOutput && options.KeepIoTypes;
        value.Type = new TensorType(DataType.Float16, shape);
        if (floatReaders.Length == 0 && !returned)
        {
            return;
        }

        var real = Cast(value, DataType.Float, "_float");
        foreach (var reader in floatReaders)
        {
            reader.Node.SetInput(reader.Index, real);
        }

        if (returned)
        {
            var name = value.Name;
            _graph.Rename(value, _graph.UniqueName(name + "_half"));
            _graph.Rename(real, name);
            real.Type = new TensorType(DataType.Float, shape);
            for (var i = 0; i < _graph.Outputs.Count; i++)
            {
                if (_graph.Outputs[i] == value)
                {
                    _graph.SetOutput(i, real);
                }
            }
        }
    }

    private void CastForHalves(Value value)
    {
        var readers = value.Uses.Where(u => _half.Contains(u.Node)).ToArray();
        if (readers.Length == 0)
        {
            return;
        }

        var half = Cast(value, DataType.Float16, "_half");
        foreach (var reader in readers)
        {
            reader.Node.SetInput(reader.Index, half);
        }
    }

    private Value Cast(Value value, DataType type, string suffix) => _graph.Add(
        "Cast",
        [value],
        value.Name + suffix,
        [NodeAttribute.Int("to", (long)type)],
        before: value.Producer is { } producer ? producer.Next : _graph.FirstNode);
}
