using System.ComponentModel;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Training;

namespace Build.ML.FineTuning;

/// <summary>Trains all weights of a model from their present values, such as those of a new architecture. To adapt a trained model gently there is <c>finetune.full</c>.</summary>
[Technique("train")]
[Description("Trains all weights of a model, such as a new architecture's.")]
public sealed class ModelTraining : Technique<ModelTraining.Options>
{
    /// <summary>Options of <c>train</c>.</summary>
    public sealed record Options : SupervisedOptions;

    /// <inheritdoc/>
    public override StepResult Apply(Model model, Options options, StepContext context)
    {
        ArgumentNullException.ThrowIfNull(options);
        return new StepResult(model) { Notes = new Trainer(context).Fit(model, new TrainingPlan { Options = options, Losses = options.ChosenLosses() }).Notes };
    }
}
