using System.ComponentModel;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Training;

namespace Build.ML.FineTuning;

/// <summary>
/// Trains the biases alone (Ben Zaken, Ravfogel and Goldberg 2022, "BitFit"), and the last layer where asked: less than a hundredth of the weights, so that several tasks can share all others.
/// </summary>
[Technique("finetune.bias")]
[Description("Trains a model's biases alone.")]
public sealed class BiasFineTuning : Technique<BiasFineTuning.Options>
{
    /// <summary>Options of <c>finetune.bias</c>: the default optimizer is <c>adamw</c> with a rate of 0.001, as biases bear more than weights do.</summary>
    public sealed record Options : SupervisedOptions
    {
        /// <summary>Whether the last linear layer's weight is trained too. Default true.</summary>
        public bool Head { get; init; } = true;
    }

    /// <inheritdoc/>
    public override StepResult Apply(Model model, Options options, StepContext context)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        var head = options.Head ? OutputLayer.Find(model, options.ChosenLosses()[0].Output)?.Weight.Name : null;
        var result = new Trainer(context).Fit(model, new TrainingPlan
        {
            Options = options,
            Losses = options.ChosenLosses(),
            Trainable = v => v.Name == head || IsBias(v),
            Phase = "fine-tuning biases",
        });
        return new StepResult(model) { Notes = result.Notes };
    }

    /// <summary>Whether a weight is a vector that is added: an operator's bias, or an operand of Add.</summary>
    internal static bool IsBias(Value value)
    {
        if (!TrainableWeights.IsWeight(value) || value.Shape is not { Count: var count } shape || shape.Dimensions.All(d => d.Size != count))
        {
            return false;
        }

        return value.Uses.All(u => (u.Node.Domain, u.Node.OpType, u.Index) switch
        {
            ("", "Conv" or "ConvTranspose" or "Gemm" or "BatchNormalization" or "InstanceNormalization" or "GroupNormalization" or "LayerNormalization", 2) => true,
            ("", "Add", _) => true,
            (_, "SkipLayerNormalization", >= 3) or (_, "BiasGelu" or "FastGelu", 1) => true,
            _ => false,
        });
    }
}
