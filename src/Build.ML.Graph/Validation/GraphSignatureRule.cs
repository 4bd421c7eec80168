using Build.ML.Graph.Ir;

namespace Build.ML.Graph.Validation;

/// <summary>Inputs, outputs and initializers of graphs: <c>GraphProto</c>.</summary>
[ModelRule("graph-signature")]
internal sealed class GraphSignatureRule : IModelRule
{
    public void Check(Model model, ViolationList violations)
    {
        foreach (var value in model.Graph.Inputs)
        {
            CheckType(value, "input", violations);
        }

        foreach (var value in model.Graph.Outputs.Distinct())
        {
            CheckType(value, "output", violations);
        }

        foreach (var value in model.Graph.Outputs.GroupBy(o => o).Where(g => g.Count() > 1).Select(g => g.Key))
        {
            violations.Warning("BML2039", $"The model returns '{value.Name}' twice, which runtimes may refuse; return it through an Identity node.");
        }

        foreach (var graph in ViolationList.AllGraphs(model))
        {
            foreach (var value in graph.Initializers)
            {
                CheckInitializer(graph, value, model.IrVersion, violations);
            }

            foreach (var (value, sparse) in graph.SparseInitializers)
            {
                CheckSparse(value.Name, sparse, violations);
            }
        }
    }

    private static void CheckType(Value value, string kind, ViolationList violations)
    {
        if (value.Type is null && value.Initializer is null)
        {
            violations.Error("BML2038", $"The {kind} '{value.Name}' of the model has no type; declare one.");
        }
        else if (value.Type is TensorType { ElementType: var type } && (type == DataType.Undefined || !Enum.IsDefined(type)))
        {
            violations.Error("BML2038", $"The {kind} '{value.Name}' of the model is a tensor of element type {(int)type}; expected 1 to {(int)DataType.Int2}.");
        }
    }

    private static void CheckInitializer(OnnxGraph graph, Value value, long irVersion, ViolationList violations)
    {
        var tensor = value.Initializer!;
        if (irVersion < 4 && !value.IsGraphInput)
        {
            violations.Warning("BML2040", $"The initializer '{value.Name}' of graph '{graph.Name}' is no input, as IR version {irVersion} asks; raise IrVersion to 4 or more.");
        }

        if (value.Type is TensorType { ElementType: var type } && type != DataType.Undefined && type != tensor.Type)
        {
            violations.Error("BML2041", $"The initializer '{value.Name}' of graph '{graph.Name}' is {tensor}, declared as {value.Type}; correct one of them.");
        }
        else if (value.Type is TensorType { Shape: { } shape } && !Fits(shape, tensor))
        {
            violations.Error("BML2041", $"The initializer '{value.Name}' of graph '{graph.Name}' is {tensor}, declared with shape {shape}; correct one of them.");
        }
    }

    private static bool Fits(Shape shape, Tensors.Tensor tensor)
    {
        if (shape.Rank != tensor.Rank)
        {
            return false;
        }

        for (var i = 0; i < shape.Rank; i++)
        {
            if (shape.Dimensions[i].Size is { } size && size != tensor.Sizes[i])
            {
                return false;
            }
        }

        return true;
    }

    private static void CheckSparse(string name, SparseTensor sparse, ViolationList violations)
    {
        var count = sparse.Values.Count;
        var isLinear = sparse.Indices.Rank == 1 && sparse.Indices.Sizes[0] == count;
        var isByCoordinate = sparse.Indices.Rank == 2 && sparse.Indices.Sizes[0] == count && sparse.Indices.Sizes[1] == sparse.Sizes.Length;
        if (sparse.Values.Rank != 1 || sparse.Indices.Type != DataType.Int64 || !(isLinear || isByCoordinate))
        {
            violations.Error(
                "BML2042",
                $"The sparse tensor '{name}' has values {sparse.Values} and indices {sparse.Indices}; expected [n] and int64[n] or int64[n,{sparse.Sizes.Length}].");
        }
    }
}
