using System.ComponentModel;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Training;

namespace Build.ML.FineTuning;

/// <summary>
/// Trains all weights of a trained model a little further, on data of its new task or to recover from compression. The defaults are those of gentle steps (Devlin et al. 2019, "BERT"): a low
/// rate that rises over the first tenth of the run and then falls in equal parts.
/// </summary>
[Technique("finetune.full")]
[Description("Trains all weights of a trained model further, in gentle steps.")]
public sealed class FullFineTuning : Technique<FullFineTuning.Options>
{
    /// <summary>Options of <c>finetune.full</c>: the default optimizer is <c>adamw</c> with a rate of 0.00005, the default schedule <c>linear</c> with a warm-up of 0.1.</summary>
    public sealed record Options : SupervisedOptions
    {
        /// <summary>The defaults of fine-tuning.</summary>
        public Options()
        {
            Optimizer = new AdamW { LearningRate = 5e-5 };
            Schedule = new LinearSchedule { Warmup = 0.1 };
        }
    }

    /// <inheritdoc/>
    public override StepResult Apply(Model model, Options options, StepContext context)
    {
        ArgumentNullException.ThrowIfNull(options);
        return new StepResult(model)
        {
            Notes = new Trainer(context).Fit(model, new TrainingPlan { Options = options, Losses = options.ChosenLosses(), Phase = "fine-tuning" }).Notes,
        };
    }
}
