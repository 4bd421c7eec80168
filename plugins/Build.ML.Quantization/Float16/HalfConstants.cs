using System.Collections.Immutable;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Quantization.Float16;

/// <summary>Float constants as halves, each made once.</summary>
/// <param name="outcomes">Receives a line for each.</param>
internal sealed class HalfConstants(ImmutableArray<LayerOutcome>.Builder outcomes)
{
    private readonly Dictionary<Value, Value> _halves = [];

    /// <summary>The half form of a float constant, beside it in its graph.</summary>
    public Value Of(Value constant)
    {
        if (!_halves.TryGetValue(constant, out var half))
        {
            var tensor = constant.Constant!;
            var content = new HalfContent(tensor);
            var (overflows, underflows) = content.CountOutside();
            half = constant.Graph.AddInitializer(constant.Name + "_half", new Tensor(DataType.Float16, tensor.Sizes.AsSpan(), content));
            _halves.Add(constant, half);
            outcomes.Add(new(
                constant.Name,
                "initializer",
                "quantized",
                overflows + underflows == 0 ? "" : $"{overflows} numbers saturated at ±65504, {underflows} raised to ±2^-24",
                [new("bits", 16)]));
        }

        return half;
    }

    /// <summary>Removes a constant that nothing reads any more.</summary>
    public static void RemoveIfUnused(Value constant)
    {
        if (!constant.IsUnused)
        {
            return;
        }

        if (constant.Producer is { } node)
        {
            node.Graph.Remove(node);
        }
        else
        {
            constant.Graph.SetInitializer(constant, null);
        }
    }
}
