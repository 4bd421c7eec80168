using System.Collections.Immutable;
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Training;

namespace Build.ML.Distillation;

/// <summary>
/// Distillation of several teachers into one student, whose target is the mean of their softened probabilities (Hinton, Vinyals and Dean 2015, section 5: distilling an ensemble).
/// </summary>
[Technique("distill.ensemble")]
[Description("Trains one model to answer as several do on average.")]
public sealed class EnsembleDistillation : Technique<EnsembleDistillation.Options>
{
    /// <summary>Options of <c>distill.ensemble</c>.</summary>
    public sealed record Options : DistillationOptions
    {
        /// <summary>The models to learn from, two or more: <c>model</c> or steps.</summary>
        [Required, MinLength(2)] public ImmutableArray<ModelReference> Teachers { get; init; } = [];
    }

    /// <inheritdoc/>
    public override StepResult Apply(Model model, Options options, StepContext context)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(context);
        var teachers = new List<Model>();
        try
        {
            foreach (var reference in options.Teachers)
            {
                teachers.Add(context.Model(reference));
            }

            var plan = new TrainingPlan { Options = options, Losses = options.ProbabilityLosses, Teachers = [.. teachers], Phase = "distilling" };
            return new StepResult(model) { Notes = new Trainer(context).Fit(model, plan).Notes };
        }
        finally
        {
            teachers.ForEach(t => t.Dispose());
        }
    }
}
