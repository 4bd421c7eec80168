using System.Numerics;
using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Evaluation.Rules;

/// <summary>Conversions of element type.</summary>
[Evaluators]
sealed class CastEvaluators : EvaluatorTable
{
    public CastEvaluators()
    {
        Rule("Cast", c => Cast(c[0], (DataType)c.Node.Int("to", 0)));
        Rule("CastLike", c => Cast(c[0], c[1].Type));
    }

    private static Tensor? Cast(Tensor x, DataType to) => x.Type == to ? x : x.Type switch
    {
        DataType.Float => From<float>(x, to),
        DataType.Double => From<double>(x, to),
        DataType.Float16 => From<Half>(x, to),
        DataType.Int64 => From<long>(x, to),
        DataType.Int32 => From<int>(x, to),
        DataType.UInt8 => From<byte>(x, to),
        DataType.Int8 => From<sbyte>(x, to),
        DataType.Bool => From<byte>(x, to), // stored as 0 and 1
        _ => null,
    };

    /// <summary>Float to integer truncates; values out of range are undefined in ONNX, so such tensors are not folded (checked conversion throws).</summary>
    private static Tensor? From<T>(Tensor x, DataType to)
        where T : unmanaged, INumber<T> => to switch
        {
            DataType.Float => Broadcasting.Map<T, float>(x, float.CreateTruncating),
            DataType.Double => Broadcasting.Map<T, double>(x, double.CreateTruncating),
            DataType.Float16 => Broadcasting.Map<T, Half>(x, Half.CreateTruncating),
            DataType.Int64 => Broadcasting.Map<T, long>(x, long.CreateChecked),
            DataType.Int32 => Broadcasting.Map<T, int>(x, int.CreateChecked),
            DataType.UInt8 => Broadcasting.Map<T, byte>(x, byte.CreateChecked),
            DataType.Int8 => Broadcasting.Map<T, sbyte>(x, sbyte.CreateChecked),
            DataType.Bool => Broadcasting.Map<T, bool>(x, static v => v != T.Zero),
            _ => null,
        };
}
