using System.Buffers;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Build.ML.Graph;
using Build.ML.Graph.Tensors;
using Tensor = Build.ML.Graph.Tensors.Tensor;

namespace Build.ML.Calibration;

/// <summary>
/// The elements of a tensor of any float type as binary32, held readable until disposed: <c>using var x = FloatView.Of(tensor);</c>. A float32 tensor's own memory is shown,
/// others are converted (float64 is rounded).
/// </summary>
public readonly ref struct FloatView
{
    private readonly float[]? _rented;
    private readonly TensorView<float> _view;
    private readonly bool _isView;

    private FloatView(TensorView<float> view)
    {
        _view = view;
        _isView = true;
        Span = view.Span;
    }

    private FloatView(float[] rented, int count)
    {
        _rented = rented;
        Span = rented.AsSpan(0, count);
    }

    /// <summary>All elements, row-major.</summary>
    public ReadOnlySpan<float> Span { get; }

    /// <summary>Whether <see cref="Of"/> reads the type: float, double, float16 and bfloat16.</summary>
    public static bool CanRead(DataType type) => type is DataType.Float or DataType.Double or DataType.Float16 or DataType.BFloat16;

    /// <summary>Opens a tensor.</summary>
    /// <exception cref="InvalidOperationException">The tensor is of no float type, see <see cref="CanRead"/>.</exception>
    public static FloatView Of(Tensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        if (tensor.Type == DataType.Float)
        {
            return new(tensor.Read<float>());
        }

        if (!CanRead(tensor.Type))
        {
            throw new InvalidOperationException($"A {tensor.Type.OnnxName()} tensor has no float elements.");
        }

        var rented = ArrayPool<float>.Shared.Rent((int)tensor.Count);
        var span = rented.AsSpan(0, (int)tensor.Count);
        using var bytes = tensor.Read<byte>();
        switch (tensor.Type)
        {
            case DataType.Float16:
                TensorPrimitives.ConvertToSingle(MemoryMarshal.Cast<byte, Half>(bytes.Span), span);
                break;
            case DataType.Double:
                TensorPrimitives.ConvertTruncating<double, float>(MemoryMarshal.Cast<byte, double>(bytes.Span), span);
                break;
            default:
                Widen(MemoryMarshal.Cast<byte, ushort>(bytes.Span), MemoryMarshal.Cast<float, uint>(span));
                break;
        }

        return new(rented, span.Length);
    }

    /// <summary>Gives the memory back.</summary>
    public void Dispose()
    {
        if (_rented is not null)
        {
            ArrayPool<float>.Shared.Return(_rented);
        }

        if (_isView)
        {
            _view.Dispose();
        }
    }

    // A bfloat16 is the upper half of a binary32.
    private static void Widen(ReadOnlySpan<ushort> from, Span<uint> to)
    {
        TensorPrimitives.ConvertTruncating(from, to);
        TensorPrimitives.ShiftLeft(to, 16, to);
    }
}
