namespace Build.ML.Graph;

/// <summary>The type of a value: <c>TypeProto</c> of the ONNX IR specification.</summary>
public abstract record OnnxType
{
    /// <summary>The optional denotation (<c>TypeProto.denotation</c>), empty by default.</summary>
    public string Denotation { get; init; } = "";
}

/// <summary>A dense tensor.</summary>
/// <param name="ElementType">Type of the elements.</param>
/// <param name="Shape">Shape, or null when not even the rank is known.</param>
public sealed record TensorType(DataType ElementType, Shape? Shape = null) : OnnxType
{
    /// <summary>For example <c>float[batch,3,48,?]</c>.</summary>
    public override string ToString() => ElementType.OnnxName() + Shape;
}

/// <summary>A sparse tensor.</summary>
/// <param name="ElementType">Type of the elements.</param>
/// <param name="Shape">Dense shape, or null.</param>
public sealed record SparseTensorType(DataType ElementType, Shape? Shape = null) : OnnxType
{
    /// <inheritdoc/>
    public override string ToString() => $"sparse({ElementType.OnnxName()}{Shape})";
}

/// <summary>A sequence of values of one type.</summary>
/// <param name="ElementType">Type of each element; null where the file leaves it out.</param>
public sealed record SequenceType(OnnxType? ElementType) : OnnxType
{
    /// <inheritdoc/>
    public override string ToString() => $"seq({ElementType})";
}

/// <summary>A value or nothing.</summary>
/// <param name="ElementType">Type of the value; null where the file leaves it out.</param>
public sealed record OptionalType(OnnxType? ElementType) : OnnxType
{
    /// <inheritdoc/>
    public override string ToString() => $"optional({ElementType})";
}

/// <summary>A map from a key type to a value type.</summary>
/// <param name="KeyType">An integer type or string.</param>
/// <param name="ValueType">Type of the values; null where the file leaves it out.</param>
public sealed record MapType(DataType KeyType, OnnxType? ValueType) : OnnxType
{
    /// <inheritdoc/>
    public override string ToString() => $"map({KeyType.OnnxName()},{ValueType})";
}

/// <summary>A type only an execution provider understands.</summary>
/// <param name="Domain">Domain of the name.</param>
/// <param name="Name">Name of the type.</param>
public sealed record OpaqueType(string Domain, string Name) : OnnxType
{
    /// <inheritdoc/>
    public override string ToString() => $"opaque({Domain},{Name})";
}
