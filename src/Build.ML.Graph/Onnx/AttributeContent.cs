using System.Collections;
using System.Collections.Immutable;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Onnx;

/// <summary>What the content fields of one AttributeProto held: one value in a valid file.</summary>
internal struct AttributeContent
{
    private List<AttributeKind>? _fields;
    private object? _value;

    /// <summary>The kinds of the content fields found, each once, in file order.</summary>
    public readonly IReadOnlyList<AttributeKind> Fields => _fields ?? (IReadOnlyList<AttributeKind>)[];

    /// <summary>Items of the list so far.</summary>
    public readonly int Count => _value is ICollection list ? list.Count : 0;

    /// <summary>A single value; the last one counts, as protobuf has it.</summary>
    public void Set(AttributeKind kind, object? value)
    {
        Saw(kind);
        _value = value;
    }

    /// <summary>The list of a kind, to add to.</summary>
    public List<T> List<T>(AttributeKind kind)
    {
        Saw(kind);
        if (_value is not List<T> list)
        {
            _value = list = [];
        }

        return list;
    }

    /// <summary>Adds to the list of a kind; null stands for an item whose errors are reported.</summary>
    public void AddIfRead<T>(AttributeKind kind, T? item)
        where T : class
    {
        var list = List<T>(kind);
        if (item is not null)
        {
            list.Add(item);
        }
    }

    /// <summary>The value as an attribute of that kind has it; null where there is none.</summary>
    public readonly object? ValueOf(AttributeKind kind) => kind switch
    {
        AttributeKind.Float => _fields is null ? 0f : _value as float?,
        AttributeKind.Int => _fields is null ? 0L : _value as long?,
        AttributeKind.String => _fields is null ? default(ReadOnlyMemory<byte>) : _value as ReadOnlyMemory<byte>?,
        AttributeKind.Tensor => _value as Tensor,
        AttributeKind.Graph => _value as OnnxGraph,
        AttributeKind.SparseTensor => _value as SparseTensor,
        AttributeKind.TypeProto => _value as OnnxType,
        AttributeKind.Ints => Items<long>(),
        AttributeKind.Floats => Items<float>(),
        AttributeKind.Strings => Items<ReadOnlyMemory<byte>>(),
        AttributeKind.Tensors => Items<Tensor>(),
        AttributeKind.Graphs => Items<OnnxGraph>(),
        AttributeKind.SparseTensors => Items<SparseTensor>(),
        AttributeKind.TypeProtos => Items<OnnxType>(),
        _ => null,
    };

    private readonly ImmutableArray<T> Items<T>() => _value is List<T> list ? [.. list] : [];

    private void Saw(AttributeKind kind)
    {
        _fields ??= [];
        if (!_fields.Contains(kind))
        {
            _fields.Add(kind);
        }
    }
}
