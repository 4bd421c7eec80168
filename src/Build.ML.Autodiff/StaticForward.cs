using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Passes;
using Build.ML.Graph.Shapes;
using Build.ML.Graph.Tensors;

namespace Build.ML.Autodiff;

/// <summary>The copy of a forward model that training starts from: sizes bound, shape arithmetic folded, trainable weights turned into inputs.</summary>
internal static class StaticForward
{
    private const long Opset = 21;

    public static Model Of(Model forward, TrainingModelOptions options, List<KeyValuePair<Value, Tensor>> parameters)
    {
        var model = forward.Clone();
        try
        {
            new UpgradeOpset { Version = Opset }.Run(model);
            foreach (var defaulted in model.Graph.Inputs.Where(i => i.Initializer is not null).ToArray())
            {
                model.Graph.RemoveInput(defaulted); // a weight that a caller could replace
            }

            new ConstantsToInitializers().Run(model);
            BindInputs(model, options);
            foreach (var value in model.Graph.Initializers.ToArray())
            {
                // What training changes is a constant of the forward model: nothing that the upgrade made of an attribute.
                if (value is { ElementType: DataType.Float, Uses.Count: > 0, Initializer: { Count: > 0 } tensor } && forward.Graph.Find(value.Name) is { } own && (own.Initializer ?? own.Constant) is not null
                    && (options.FeedStatistics || !IsStatistic(value)) && !IsSetting(value) && options.Trainable(value))
                {
                    var type = new TensorType(DataType.Float, value.Shape);
                    model.Graph.SetInitializer(value, null);
                    parameters.Add(KeyValuePair.Create(model.Graph.AddInput(value.Name, type), tensor));
                }
            }

            if (parameters.Count == 0)
            {
                throw TrainingModelBuilder.NothingToTrain();
            }

            PassPipeline.Of(["fold-constants", "remove-dead-nodes"]).Run(model);
            ShapeInference.Refresh(model);
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    // Running statistics follow the batches (GraphOps.Track) or stay; they have no gradient to descend.
    private static bool IsStatistic(Value value) => value.Uses.All(u => u.Node is { OpType: "BatchNormalization", Domain: "" } && u.Index is 3 or 4);

    // Numbers that shapes and random numbers depend on are no weights, whatever the caller says.
    private static bool IsSetting(Value value) => value.Uses.All(u => u.Node is { OpType: "Resize" or "Dropout", Domain: "" } && u.Index > 0);

    private static void BindInputs(Model model, TrainingModelOptions options)
    {
        var errors = new List<Diagnostic>();
        foreach (var name in options.InputSizes.Keys.Where(n => model.Graph.Inputs.All(i => i.Name != n)).Order(StringComparer.Ordinal))
        {
            errors.Add(new("BML8106", $"There is no input '{name}' to bind the size of. The model's inputs are {string.Join(", ", model.Graph.Inputs.Select(i => $"'{i.Name}'"))}."));
        }

        foreach (var input in model.Graph.Inputs)
        {
            if (options.InputSizes.TryGetValue(input.Name, out var sizes))
            {
                input.Type = new TensorType(input.ElementType, Shape.Of(sizes.AsSpan()));
            }
            else if (input.Shape is not { IsStatic: true } && !input.IsUnused)
            {
                errors.Add(new("BML8103", $"Input '{input.Name}' is {input.Type?.ToString() ?? "of no declared type"}; training needs its sizes."));
            }
        }

        if (errors.Count > 0)
        {
            throw new DiagnosticException(errors);
        }
    }
}
