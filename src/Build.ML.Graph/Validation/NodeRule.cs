using Build.ML.Graph.Ir;

namespace Build.ML.Graph.Validation;

/// <summary>Operators and attributes of nodes: <c>NodeProto</c>, <c>AttributeProto</c>.</summary>
[ModelRule("node")]
internal sealed class NodeRule : IModelRule
{
    public void Check(Model model, ViolationList violations)
    {
        foreach (var node in model.AllNodes)
        {
            CheckNode(node, violations, inFunction: false, model.IrVersion);
        }

        foreach (var node in model.Functions.SelectMany(f => f.Body.AllNodes))
        {
            CheckNode(node, violations, inFunction: true, model.IrVersion);
        }
    }

    private static void CheckNode(Node node, ViolationList violations, bool inFunction, long irVersion)
    {
        if (node.OpType.Length == 0)
        {
            violations.Error("BML2036", $"In graph '{node.Graph.Name}', a node '{node.Name}' has no operator; give it one or remove it.");
        }

        foreach (var attribute in node.Attributes)
        {
            if (attribute.Name.Length == 0)
            {
                violations.Error("BML2037", $"{node.DisplayName} has an attribute without a name.");
            }

            if (attribute.ReferenceName.Length > 0 && !inFunction)
            {
                violations.Error("BML2037", $"{node.DisplayName} takes attribute '{attribute.Name}' from '{attribute.ReferenceName}'; only a function's nodes may refer to attributes.");
            }

            // Before IR version 3 the kind was told by the field in use; an empty list then has none.
            if (attribute.Kind == AttributeKind.Undefined && irVersion >= 3)
            {
                violations.Error("BML2037", $"{node.DisplayName} has an attribute '{attribute.Name}' of no kind; expected one, such as Int or Floats.");
            }
            else if (attribute.Value is { } value && !Matches(attribute.Kind, value))
            {
                violations.Error("BML2037", $"{node.DisplayName} has an attribute '{attribute.Name}' of kind {attribute.Kind} with a value of {value.GetType()}.");
            }
        }
    }

    private static bool Matches(AttributeKind kind, object value) => kind switch
    {
        AttributeKind.Float => value is float,
        AttributeKind.Int => value is long,
        AttributeKind.String => value is ReadOnlyMemory<byte>,
        AttributeKind.Tensor => value is Tensors.Tensor,
        AttributeKind.Graph => value is OnnxGraph,
        AttributeKind.SparseTensor => value is SparseTensor,
        AttributeKind.TypeProto => value is OnnxType,
        AttributeKind.Floats => value is System.Collections.Immutable.ImmutableArray<float>,
        AttributeKind.Ints => value is System.Collections.Immutable.ImmutableArray<long>,
        AttributeKind.Strings => value is System.Collections.Immutable.ImmutableArray<ReadOnlyMemory<byte>>,
        AttributeKind.Tensors => value is System.Collections.Immutable.ImmutableArray<Tensors.Tensor>,
        AttributeKind.Graphs => value is System.Collections.Immutable.ImmutableArray<OnnxGraph>,
        AttributeKind.SparseTensors => value is System.Collections.Immutable.ImmutableArray<SparseTensor>,
        AttributeKind.TypeProtos => value is System.Collections.Immutable.ImmutableArray<OnnxType>,
        _ => true,
    };
}
