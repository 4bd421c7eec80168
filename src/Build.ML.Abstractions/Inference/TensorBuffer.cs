using System.Collections.Immutable;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Build.ML.Graph;
using Build.ML.Graph.Tensors;

namespace Build.ML.Abstractions.Inference;

/// <summary>
/// A dense tensor in native memory that does not move, is zero at first and may be written at any time: what bound sessions read and write without copies. Several sessions
/// may be bound to one buffer. Owned by who made it; sessions bound to it must be disposed first.
/// </summary>
public sealed unsafe class TensorBuffer : IDisposable
{
    /// <summary>
    /// Bytes that the address is a multiple of: a cache line, and the widest vector register. It is also what makes runs repeatable: the runtime's sums begin at an aligned
    /// address, so the same numbers at another offset give other bits.
    /// </summary>
    public const int Alignment = 64;

    private void* _start;

    /// <summary>A buffer of zeros.</summary>
    /// <param name="type">Element type of 8 bits or more; no strings.</param>
    /// <param name="sizes">Sizes of the dimensions, outermost first; none for a scalar.</param>
    /// <exception cref="ArgumentException">The type is packed or has no fixed width.</exception>
    /// <exception cref="OutOfMemoryException">There is no room for it.</exception>
    public TensorBuffer(DataType type, params ReadOnlySpan<long> sizes)
    {
        if (type.BitWidth() < 8)
        {
            throw new ArgumentException($"A buffer of {type.OnnxName()} has no addressable elements; types of 8 bits or more have.", nameof(type));
        }

        var count = 1L;
        foreach (var size in sizes)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(size, nameof(sizes));
            count = checked(count * size);
        }

        Type = type;
        Sizes = [.. sizes];
        Count = count;
        ByteLength = type.ByteLength(count);
        var bytes = (nuint)Math.Max((ByteLength + Alignment - 1) / Alignment * Alignment, Alignment);
        _start = NativeMemory.AlignedAlloc(bytes, Alignment);
        NativeMemory.Clear(_start, bytes);
    }

    /// <summary>Gives the memory back where nobody disposed the buffer.</summary>
    ~TensorBuffer() => Free();

    /// <summary>Element type.</summary>
    public DataType Type { get; }

    /// <summary>Sizes of the dimensions, outermost first; empty for a scalar.</summary>
    public ImmutableArray<long> Sizes { get; }

    /// <summary>Number of elements.</summary>
    public long Count { get; }

    /// <summary>Bytes of all elements.</summary>
    public long ByteLength { get; }

    /// <summary>Address of the first element, a multiple of <see cref="Alignment"/>; valid until disposal.</summary>
    /// <exception cref="ObjectDisposedException">The buffer was disposed.</exception>
    public nint Address
    {
        get
        {
            ObjectDisposedException.ThrowIf(_start == null, this);
            return (nint)_start;
        }
    }

    /// <summary>A buffer with a copy of a tensor.</summary>
    public static TensorBuffer Of(Tensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        var buffer = new TensorBuffer(tensor.Type, tensor.Sizes.AsSpan());
        buffer.CopyFrom(tensor);
        return buffer;
    }

    /// <summary>The elements, row-major.</summary>
    /// <typeparam name="T">A type as wide as an element, or <see cref="byte"/> for all bytes.</typeparam>
    /// <exception cref="ArgumentException"><typeparamref name="T"/> is not as wide as an element.</exception>
    /// <exception cref="OverflowException">There are more than 2³¹ − 1 elements.</exception>
    /// <exception cref="ObjectDisposedException">The buffer was disposed.</exception>
    public Span<T> Span<T>()
        where T : unmanaged
    {
        var width = Unsafe.SizeOf<T>();
        return width != 1 && width * 8 != Type.BitWidth()
            ? throw new ArgumentException($"A buffer of {Type.OnnxName()} cannot be seen as {typeof(T)}.", nameof(T))
            : new Span<T>((void*)Address, checked((int)(ByteLength / width)));
    }

    /// <summary>
    /// The elements by vectors, the last one filled up with elements that belong to nobody and are 0 at first: a loop over them has no remainder.
    /// </summary>
    /// <typeparam name="T">A type as wide as an element.</typeparam>
    /// <exception cref="ArgumentException"><typeparamref name="T"/> is not as wide as an element.</exception>
    /// <exception cref="OverflowException">There are more than 2³¹ − 1 elements.</exception>
    /// <exception cref="ObjectDisposedException">The buffer was disposed.</exception>
    public Span<Vector<T>> Vectors<T>()
        where T : unmanaged
    {
        var elements = Span<T>();
        return new Span<Vector<T>>((void*)Address, (elements.Length + Vector<T>.Count - 1) / Vector<T>.Count);
    }

    /// <summary>Copies a tensor of the same type and number of elements into the buffer.</summary>
    /// <exception cref="ArgumentException">Type or number of elements differ.</exception>
    public void CopyFrom(Tensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        if (tensor.Type != Type || tensor.Count != Count)
        {
            throw new ArgumentException($"{tensor} does not fit into {this}.", nameof(tensor));
        }

        using var view = tensor.Content.Open();
        for (long offset = 0; offset < ByteLength;)
        {
            var piece = view.Slice(offset, (int)Math.Min(1 << 30, ByteLength - offset));
            piece.CopyTo(new Span<byte>((byte*)Address + offset, piece.Length));
            offset += piece.Length;
        }
    }

    /// <summary>Copies another buffer of the same type and number of elements into this one.</summary>
    /// <exception cref="ArgumentException">Type or number of elements differ.</exception>
    public void CopyFrom(TensorBuffer other)
    {
        ArgumentNullException.ThrowIfNull(other);
        if (other.Type != Type || other.Count != Count)
        {
            throw new ArgumentException($"{other} does not fit into {this}.", nameof(other));
        }

        NativeMemory.Copy((void*)other.Address, (void*)Address, (nuint)ByteLength);
    }

    /// <summary>Makes all elements zero.</summary>
    public void Clear() => NativeMemory.Clear((void*)Address, (nuint)ByteLength);

    /// <summary>A tensor with a copy of the elements.</summary>
    public Tensor ToTensor() => Tensor.OfBytes(Type, Span<byte>().ToArray(), Sizes.AsSpan());

    /// <summary>For example <c>float[64,3,3,3]</c>.</summary>
    public override string ToString() => $"{Type.OnnxName()}[{string.Join(',', Sizes)}]";

    /// <inheritdoc/>
    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        NativeMemory.AlignedFree(_start);
        _start = null;
    }
}
