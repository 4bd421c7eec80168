using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Text;

namespace Build.ML.Graph.Tensors;

/// <summary>
/// An immutable dense tensor: element type, sizes and content. The content of a tensor read from a file stays in the
/// file, memory-mapped, until <see cref="Read{T}"/> touches it. Used for weights and for data fed to and got from models.
/// </summary>
public sealed class Tensor
{
    private readonly ImmutableArray<string> _strings;

    /// <summary>A tensor over a content.</summary>
    /// <param name="type">Element type, not <see cref="DataType.String"/>.</param>
    /// <param name="sizes">Sizes of the dimensions, outermost first; empty for a scalar.</param>
    /// <param name="content">Exactly <c>type.ByteLength(product of sizes)</c> bytes.</param>
    /// <exception cref="ArgumentException">The content's length does not match type and sizes.</exception>
    public Tensor(DataType type, ReadOnlySpan<long> sizes, TensorContent content)
    {
        ArgumentNullException.ThrowIfNull(content);
        Type = type;
        Sizes = [.. sizes];
        Count = Product(sizes);
        Content = content;
        ByteLength = type.ByteLength(Count);
        if (type.BitWidth() == 0 || content.Length != ByteLength)
        {
            throw new ArgumentException(
                $"A tensor {type.OnnxName()}[{string.Join(',', Sizes)}] takes {ByteLength} bytes, the content has {content.Length}.",
                nameof(content));
        }
    }

    /// <summary>A tensor of strings.</summary>
    /// <param name="sizes">Sizes of the dimensions.</param>
    /// <param name="strings">As many as the product of sizes.</param>
    public Tensor(ReadOnlySpan<long> sizes, ImmutableArray<string> strings)
    {
        Type = DataType.String;
        Sizes = [.. sizes];
        Count = Product(sizes);
        Content = new MemoryContent(default);
        _strings = strings;
        if (strings.Length != Count)
        {
            throw new ArgumentException($"Sizes [{string.Join(',', Sizes)}] take {Count} strings, got {strings.Length}.", nameof(strings));
        }
    }

    /// <summary>Element type.</summary>
    public DataType Type { get; }

    /// <summary>Sizes of the dimensions, outermost first; empty for a scalar.</summary>
    public ImmutableArray<long> Sizes { get; }

    /// <summary>Number of dimensions.</summary>
    public int Rank => Sizes.Length;

    /// <summary>Number of elements.</summary>
    public long Count { get; }

    /// <summary>Bytes of the content; 0 for strings.</summary>
    public long ByteLength { get; }

    /// <summary>Where the bytes are.</summary>
    public TensorContent Content { get; }

    /// <summary>The elements of a string tensor.</summary>
    /// <exception cref="InvalidOperationException">Not a string tensor.</exception>
    public ImmutableArray<string> Strings =>
        Type == DataType.String ? _strings : throw new InvalidOperationException($"A {Type.OnnxName()} tensor has no strings.");

    /// <summary><c>doc_string</c> of the tensor.</summary>
    public string DocString { get; init; } = "";

    /// <summary><c>TensorProto.name</c> where the tensor is an attribute's; the name of an initializer is its value's.</summary>
    public string Name { get; init; } = "";

    /// <summary>How the file held it and what else was there, so that an unchanged tensor is written back as it was.</summary>
    internal Onnx.TensorOrigin? Origin { get; init; }

    /// <summary>The sizes as a static shape.</summary>
    public Shape Shape => Shape.Of(Sizes.AsSpan());

    /// <summary>A tensor from an array, which is not copied and must not change afterwards.</summary>
    /// <param name="values">Row-major elements.</param>
    /// <param name="sizes">Sizes; none with one element makes a scalar, none with more or fewer a vector.</param>
    public static Tensor Of<T>(T[] values, params ReadOnlySpan<long> sizes)
        where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(values);
        ReadOnlySpan<long> actual = sizes.Length == 0 && values.Length != 1 ? [values.Length] : sizes;
        return new Tensor(DataTypes.Of<T>(), actual, new ArrayContent<T>(values));
    }

    /// <summary>A scalar tensor (rank 0).</summary>
    public static Tensor Scalar<T>(T value)
        where T : unmanaged => Of([value]);

    /// <summary>A tensor from bytes as in <c>raw_data</c>; not copied.</summary>
    public static Tensor OfBytes(DataType type, ReadOnlyMemory<byte> bytes, params ReadOnlySpan<long> sizes) =>
        new(type, sizes, new MemoryContent(bytes));

    /// <summary>Opens the elements for reading; dispose the view to give the memory back.</summary>
    /// <typeparam name="T">The CLR type of <see cref="Type"/>, or <see cref="byte"/> for packed bytes, or any unmanaged type of the same width.</typeparam>
    /// <exception cref="InvalidOperationException"><typeparamref name="T"/> does not match the element type.</exception>
    public unsafe TensorView<T> Read<T>()
        where T : unmanaged
    {
        if (sizeof(T) != 1 && sizeof(T) * 8 != Type.BitWidth())
        {
            throw new InvalidOperationException($"A {Type.OnnxName()} tensor cannot be read as {typeof(T)}.");
        }

        return new TensorView<T>(Content.Open(), ByteLength);
    }

    /// <summary>A copy of the elements.</summary>
    public T[] ToArray<T>()
        where T : unmanaged
    {
        using var view = Read<T>();
        return view.Span.ToArray();
    }

    /// <summary>The same content under other sizes of the same product.</summary>
    public Tensor Reshape(params ReadOnlySpan<long> sizes) =>
        Type == DataType.String ? new Tensor(sizes, _strings) : new Tensor(Type, sizes, Content) { Name = Name, DocString = DocString };

    /// <summary>For example <c>float[64,3,3,3]</c>.</summary>
    public override string ToString() => new StringBuilder(Type.OnnxName()).Append('[').AppendJoin(',', Sizes).Append(']').ToString();

    private static long Product(ReadOnlySpan<long> sizes)
    {
        var product = sizes.Contains(0) ? 0L : 1L; // no overflow where a size is 0
        foreach (var size in sizes)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(size);
            product = checked(product * size);
        }

        return product;
    }

    private sealed class ArrayContent<T>(T[] values) : TensorContent
        where T : unmanaged
    {
        public override unsafe long Length => (long)values.Length * sizeof(T);

        public override ContentView Open() => new View(values);

        private sealed class View(T[] values) : ContentView
        {
            public override unsafe ReadOnlySpan<byte> Slice(long offset, int length)
            {
                // An array of 8-byte elements may exceed 2 GB: slice by element first.
                var first = (int)(offset / sizeof(T));
                var skip = (int)(offset % sizeof(T));
                var elements = Math.Min(values.Length - first, (skip + length + sizeof(T) - 1) / sizeof(T));
                return MemoryMarshal.AsBytes(values.AsSpan(first, elements)).Slice(skip, length);
            }
        }
    }
}
