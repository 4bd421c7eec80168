using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Passes;
using Build.ML.Graph.Tensors;
using Build.ML.Training;
using Build.ML.Training.Random;

namespace Build.ML.FineTuning;

/// <summary>
/// Trains a new last layer on a frozen body (Donahue et al. 2014, "DeCAF"): what a network learned to see serves other classes. The layer before the output, a Gemm or MatMul with its bias, is
/// replaced by a fresh one with as many outputs as there are classes.
/// </summary>
[Technique("finetune.head")]
[Description("Trains a new last layer, for other classes, on a frozen body.")]
public sealed class HeadFineTuning : Technique<HeadFineTuning.Options>
{
    /// <summary>Options of <c>finetune.head</c>: the default optimizer is <c>adamw</c> with a rate of 0.001.</summary>
    public sealed record Options : SupervisedOptions
    {
        /// <summary>Number of classes of the new layer, 1 or more. Default: as many as now, and the layer goes on from its present weights.</summary>
        [Range(1, 1 << 24)]
        public int? Classes { get; init; }
    }

    /// <inheritdoc/>
    public override StepResult Apply(Model model, Options options, StepContext context)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(context);
        PassPipeline.Of(["constants-to-initializers"]).Run(model);
        var layer = OutputLayer.Find(model, options.ChosenLosses()[0].Output) ?? throw new DiagnosticException(
            "BML6120",
            $"No last layer was found before output '{options.ChosenLosses()[0].Output ?? model.Graph.Outputs[0].Name}': expected a Gemm or MatMul with a constant weight, with nothing but a bias, "
            + "Softmax or Sigmoid behind it. Name another output as the loss's 'output', or use finetune.full.");
        var before = layer.Classes;
        if (options.Classes is { } classes)
        {
            layer = Replace(model, layer, classes, context.Seed);
        }

        var head = new[] { layer.Weight.Name, layer.Bias?.Name };
        var result = new Trainer(context).Fit(model, new TrainingPlan
        {
            Options = options with { FreezeStatistics = true }, // the body stays as it is, its statistics too
            Losses = options.ChosenLosses(),
            Trainable = v => head.Contains(v.Name),
            Phase = "fine-tuning the head",
        });
        return new StepResult(model)
        {
            Layers = [new(layer.Node.DisplayName, layer.Node.OpType, options.Classes is null ? "trained" : "replaced", "", [new("classes_before", before), new("classes", layer.Classes)])],
            Notes = result.Notes,
        };
    }

    // Weights uniform within ±1/√inputs, biases 0.
    private static OutputLayer Replace(Model model, OutputLayer layer, int classes, long seed)
    {
        var weights = new float[layer.Inputs * classes];
        var limit = 1 / MathF.Sqrt(layer.Inputs);
        new CounterRandom(seed, RandomStream.Initialization).FillUniform(weights, -limit, limit);
        var weight = model.Graph.AddInitializer(
            layer.Weight.Name, layer.IsTransposed ? Tensor.Of(weights, classes, layer.Inputs) : Tensor.Of(weights, layer.Inputs, classes));
        layer.Node.SetInput(1, weight);
        Value? bias = null;
        if (layer.Bias is not null)
        {
            bias = model.Graph.AddInitializer(layer.Bias.Name, Tensor.Of(new float[classes], classes));
            foreach (var use in layer.Bias.Uses.Where(u => IsBehind(u.Node, layer)).ToArray())
            {
                use.Node.SetInput(use.Index, bias);
            }
        }

        // Sizes between the layer and the output follow from the new weight; what the file said of them is old.
        for (var value = layer.Node.Outputs[0]; ;)
        {
            if (value.Shape is { Rank: > 0 } shape)
            {
                value.Type = new TensorType(value.ElementType, new Shape([.. shape.Dimensions.Take(shape.Rank - 1), classes]));
            }

            if (value == layer.Output || value.Uses.Count == 0)
            {
                break;
            }

            value = value.Uses[0].Node.Outputs[0];
        }

        new RemoveUnusedInitializers().Run(model);
        return layer with { Weight = weight, Bias = bias };
    }

    private static bool IsBehind(Node node, OutputLayer layer) => node == layer.Node || (node.OpType == "Add" && (node.Inputs[0]?.Producer == layer.Node || node.Inputs[1]?.Producer == layer.Node));
}
