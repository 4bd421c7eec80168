namespace Build.ML.Graph.Onnx;

// Field numbers of onnx.proto (IR version 12), one class a message.

internal static class ModelField
{
    public const int IrVersion = 1, ProducerName = 2, ProducerVersion = 3, Domain = 4, ModelVersion = 5, DocString = 6, Graph = 7,
        OpsetImport = 8, MetadataProps = 14, TrainingInfo = 20, Functions = 25;
}

internal static class GraphField
{
    public const int Node = 1, Name = 2, Initializer = 5, DocString = 10, Input = 11, Output = 12, ValueInfo = 13,
        QuantizationAnnotation = 14, SparseInitializer = 15, MetadataProps = 16;
}

internal static class FunctionField
{
    public const int Name = 1, Input = 4, Output = 5, Attribute = 6, Node = 7, DocString = 8, OpsetImport = 9, Domain = 10,
        AttributeProto = 11, ValueInfo = 12, Overload = 13, MetadataProps = 14;
}

internal static class NodeField
{
    public const int Input = 1, Output = 2, Name = 3, OpType = 4, Attribute = 5, DocString = 6, Domain = 7, Overload = 8, MetadataProps = 9;
}

internal static class AttributeField
{
    public const int Name = 1, F = 2, I = 3, S = 4, T = 5, G = 6, Floats = 7, Ints = 8, Strings = 9, Tensors = 10, Graphs = 11,
        DocString = 13, Tp = 14, TypeProtos = 15, Type = 20, RefAttrName = 21, SparseTensor = 22, SparseTensors = 23;
}

internal static class TensorField
{
    public const int Dims = 1, DataType = 2, Segment = 3, FloatData = 4, Int32Data = 5, StringData = 6, Int64Data = 7, Name = 8,
        RawData = 9, DoubleData = 10, UInt64Data = 11, DocString = 12, ExternalData = 13, DataLocation = 14, MetadataProps = 16;
}

internal static class SparseTensorField
{
    public const int Values = 1, Indices = 2, Dims = 3;
}

internal static class ValueInfoField
{
    public const int Name = 1, Type = 2, DocString = 3, MetadataProps = 4;
}

internal static class TypeField
{
    public const int Tensor = 1, Sequence = 4, Map = 5, Denotation = 6, Opaque = 7, SparseTensor = 8, Optional = 9;
    public const int ElementType = 1, Shape = 2, KeyType = 1, ValueType = 2, OpaqueDomain = 1, OpaqueName = 2;
    public const int Dim = 1, DimValue = 1, DimParam = 2, DimDenotation = 3;
}

internal static class OperatorSetField
{
    public const int Domain = 1, Version = 2;
}

internal static class EntryField
{
    public const int Key = 1, Value = 2;
}

internal static class AnnotationField
{
    public const int TensorName = 1;
}
