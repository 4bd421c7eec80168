using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Tensors;
using Microsoft.ML.OnnxRuntime;
using TensorElementType = Microsoft.ML.OnnxRuntime.Tensors.TensorElementType;

namespace Build.ML.OnnxRuntime;

/// <summary>Tensors to the runtime's values and back.</summary>
internal static class TensorExchange
{
    /// <summary>
    /// Whether the runtime's C# interface can exchange tensors of the type. It knows none of the 4-bit, 2-bit and 8-bit float types, nor complex
    /// numbers; inside a model they are no problem.
    /// </summary>
    public static bool CanExchange(DataType type) => type is DataType.Float or DataType.Double or DataType.Float16 or DataType.BFloat16
        or DataType.UInt8 or DataType.Int8 or DataType.UInt16 or DataType.Int16 or DataType.UInt32 or DataType.Int32
        or DataType.UInt64 or DataType.Int64 or DataType.Bool or DataType.String;

    /// <summary>A value over the feed's own memory, which must stay pinned as long as the value lives.</summary>
    public static unsafe OrtValue Over(Tensor feed, byte* start) => OrtValue.CreateTensorValueWithData(
        OrtMemoryInfo.DefaultInstance, (TensorElementType)feed.Type, [.. feed.Sizes], (nint)start, feed.ByteLength);

    /// <summary>A value with a copy of the strings.</summary>
    public static OrtValue StringsOf(Tensor feed)
    {
        var value = OrtValue.CreateTensorWithEmptyStrings(OrtAllocator.DefaultInstance, [.. feed.Sizes]);
        for (var i = 0; i < feed.Strings.Length; i++)
        {
            value.StringTensorSetElementAt(feed.Strings[i].AsSpan(), i);
        }

        return value;
    }

    /// <summary>A tensor with a copy of the value's elements.</summary>
    /// <param name="value">What a run returned.</param>
    /// <param name="model">Name of the model, for messages.</param>
    /// <param name="output">Name of the output, for messages.</param>
    /// <exception cref="DiagnosticException">BML5104: no tensor, or one of a type that the C# interface cannot exchange.</exception>
    public static Tensor CopyOf(OrtValue value, string model, string output)
    {
        if (!value.IsTensor)
        {
            throw new DiagnosticException("BML5104", RuntimeTypes.NotExchangeable(model, "Output", output, value.OnnxType.ToString()));
        }

        var info = value.GetTensorTypeAndShape();
        var sizes = info.Shape;
        return info.ElementDataType switch
        {
            TensorElementType.String => new Tensor(sizes, [.. value.GetStringTensorAsArray()]),
            TensorElementType.Float => Copy<float>(value, DataType.Float, sizes),
            TensorElementType.Double => Copy<double>(value, DataType.Double, sizes),
            TensorElementType.Float16 => Copy<Float16>(value, DataType.Float16, sizes),
            TensorElementType.BFloat16 => Copy<BFloat16>(value, DataType.BFloat16, sizes),
            TensorElementType.UInt8 => Copy<byte>(value, DataType.UInt8, sizes),
            TensorElementType.Int8 => Copy<sbyte>(value, DataType.Int8, sizes),
            TensorElementType.UInt16 => Copy<ushort>(value, DataType.UInt16, sizes),
            TensorElementType.Int16 => Copy<short>(value, DataType.Int16, sizes),
            TensorElementType.UInt32 => Copy<uint>(value, DataType.UInt32, sizes),
            TensorElementType.Int32 => Copy<int>(value, DataType.Int32, sizes),
            TensorElementType.UInt64 => Copy<ulong>(value, DataType.UInt64, sizes),
            TensorElementType.Int64 => Copy<long>(value, DataType.Int64, sizes),
            TensorElementType.Bool => Copy<bool>(value, DataType.Bool, sizes),
            var type => throw new DiagnosticException(
                "BML5104", RuntimeTypes.NotExchangeable(model, "Output", output, ((DataType)type).OnnxName())),
        };
    }

    private static Tensor Copy<T>(OrtValue value, DataType type, long[] sizes)
        where T : unmanaged
    {
        var source = System.Runtime.InteropServices.MemoryMarshal.AsBytes(value.GetTensorDataAsSpan<T>());
        var bytes = GC.AllocateUninitializedArray<byte>(source.Length);
        source.CopyTo(bytes);
        return Tensor.OfBytes(type, bytes, sizes);
    }
}
