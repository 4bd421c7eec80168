using System.ComponentModel;
using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Training;

namespace Build.ML.Distillation;

/// <summary>
/// Knowledge distillation of outputs (Hinton, Vinyals and Dean 2015, "Distilling the Knowledge in a Neural Network"): the step's model, the student, learns to answer as the teacher does.
/// </summary>
[Technique("distill.logits")]
[Description("Trains a small model to answer as a large one does.")]
public sealed class LogitDistillation : Technique<LogitDistillation.Options>
{
    /// <summary>Options of <c>distill.logits</c>.</summary>
    public sealed record Options : DistillationOptions
    {
        /// <summary>The model to learn from: <c>model</c> (default) or a step.</summary>
        public ModelReference Teacher { get; init; } = new("model");
    }

    /// <inheritdoc/>
    public override StepResult Apply(Model model, Options options, StepContext context)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(context);
        using var teacher = context.Model(options.Teacher);
        var result = new Trainer(context).Fit(model, new TrainingPlan { Options = options, Losses = options.ProbabilityLosses, Teachers = [teacher], Phase = "distilling" });
        return new StepResult(model) { Notes = result.Notes };
    }
}
