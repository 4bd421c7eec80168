using System.Collections.Immutable;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Microsoft.ML.OnnxRuntime;

namespace Build.ML.OnnxRuntime;

/// <summary>What the runtime says about a session's inputs and outputs, in the graph's types.</summary>
internal static class RuntimeTypes
{
    /// <summary>The inputs that a run must be fed, in the model's order.</summary>
    /// <exception cref="DiagnosticException">BML5104: every input and output that is no tensor of a type that can be exchanged.</exception>
    public static ImmutableArray<KeyValuePair<string, OnnxType>> InputsOf(string name, Model model, InferenceSession session)
    {
        var errors = new List<Diagnostic>();
        var inputs = ImmutableArray.CreateBuilder<KeyValuePair<string, OnnxType>>();
        foreach (var input in session.InputNames)
        {
            // The model's own type says more: the runtime cannot tell an unknown rank from a scalar.
            var type = model.Graph.Find(input)?.Type ?? TypeOf(session.InputMetadata[input]);
            Check(name, "Input", input, type, errors);
            inputs.Add(new(input, type));
        }

        foreach (var (output, metadata) in session.OutputMetadata)
        {
            Check(name, "Output", output, TypeOf(metadata), errors);
        }

        return errors.Count == 0 ? inputs.ToImmutable() : throw new DiagnosticException(errors);
    }

    /// <summary>What a run returns, as the runtime inferred it.</summary>
    public static ImmutableArray<KeyValuePair<string, OnnxType>> OutputsOf(InferenceSession session) =>
        [.. session.OutputNames.Select(o => KeyValuePair.Create(o, TypeOf(session.OutputMetadata[o])))];

    /// <summary>Checks what the model declares; the runtime's interface would stop at the first type that it does not know.</summary>
    /// <exception cref="DiagnosticException">BML5104, one for each input and output.</exception>
    public static void CheckDeclared(string name, Model model)
    {
        var errors = new List<Diagnostic>();
        foreach (var input in model.Graph.Inputs.Where(i => i is { Initializer: null, Type: not null }))
        {
            Check(name, "Input", input.Name, input.Type!, errors);
        }

        foreach (var output in model.Graph.Outputs.Where(o => o.Type is not null))
        {
            Check(name, "Output", output.Name, output.Type!, errors);
        }

        if (errors.Count > 0)
        {
            throw new DiagnosticException(errors);
        }
    }

    /// <summary>The message of BML5104.</summary>
    public static string NotExchangeable(string model, string role, string name, string type) =>
        $"{role} '{name}' of {model} is {type}; ONNX Runtime's C# interface exchanges dense tensors of float, double, float16, bfloat16, 8- to "
        + "64-bit integers, bool and string only. Add a Cast, or the nodes that turn it into tensors, to the model.";

    private static void Check(string model, string role, string name, OnnxType type, List<Diagnostic> errors)
    {
        if (type is not TensorType { ElementType: var element } || (element != DataType.Undefined && !TensorExchange.CanExchange(element)))
        {
            errors.Add(new("BML5104", NotExchangeable(model, role, name, type.ToString())));
        }
    }

    private static OnnxType TypeOf(NodeMetadata metadata) => metadata.OnnxValueType switch
    {
        OnnxValueType.ONNX_TYPE_TENSOR => new TensorType((DataType)metadata.ElementDataType, ShapeOf(metadata)),
        OnnxValueType.ONNX_TYPE_SPARSETENSOR => new SparseTensorType((DataType)metadata.ElementDataType, ShapeOf(metadata)),
        OnnxValueType.ONNX_TYPE_SEQUENCE => new SequenceType(TypeOf(metadata.AsSequenceMetadata().ElementMeta)),
        OnnxValueType.ONNX_TYPE_OPTIONAL => new OptionalType(TypeOf(metadata.AsOptionalMetadata().ElementMeta)),
        OnnxValueType.ONNX_TYPE_MAP => MapOf(metadata.AsMapMetadata()),
        var other => new OpaqueType("", other.ToString()),
    };

    private static MapType MapOf(MapMetadata map) => new((DataType)map.KeyDataType, TypeOf(map.ValueMetadata));

    private static Shape ShapeOf(NodeMetadata metadata)
    {
        var dimensions = new Dimension[metadata.Dimensions.Length];
        for (var i = 0; i < dimensions.Length; i++)
        {
            dimensions[i] = metadata.Dimensions[i] >= 0 ? new Dimension(metadata.Dimensions[i])
                : metadata.SymbolicDimensions[i] is { Length: > 0 } symbol ? new Dimension(symbol) : Dimension.Unknown;
        }

        return new Shape(dimensions);
    }
}
