using System.Collections.Immutable;
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Techniques;
using Build.ML.Distillation.Features;
using Build.ML.Graph;
using Build.ML.Training;

namespace Build.ML.Distillation;

/// <summary>How close two hidden states are.</summary>
public enum FeatureDistance
{
    /// <summary>Mean squared difference (Romero et al. 2015, FitNets; Jiao et al. 2020, TinyBERT).</summary>
    MeanSquared,

    /// <summary>1 − cosine of each position's vectors (Sanh et al. 2019, DistilBERT).</summary>
    Cosine,
}

/// <summary>
/// Distillation of hidden states: chosen values inside the student follow values inside the teacher, beside the outputs. Where their widths differ, a projection that is learned along and thrown
/// away afterwards maps the student's onto the teacher's (FitNets' regressor, TinyBERT's W_h).
/// </summary>
[Technique("distill.features")]
[Description("Trains a small model to compute what a large one does, layer by layer.")]
public sealed class FeatureDistillation : Technique<FeatureDistillation.Options>
{
    /// <summary>Options of <c>distill.features</c>.</summary>
    public sealed record Options : DistillationOptions
    {
        /// <summary>The model to learn from: <c>model</c> (default) or a step.</summary>
        public ModelReference Teacher { get; init; } = new("model");

        /// <summary>Values to match, by name: of the student, and of the teacher where it is called otherwise there. In place of <c>student_layers</c>.</summary>
        public ImmutableArray<ValuePair> Pairs { get; init; } = [];

        /// <summary>A glob over names of values of the student, such as the outputs of its blocks, in the order of the graph.</summary>
        public string? StudentLayers { get; init; }

        /// <summary>
        /// The same of the teacher. The student's value m of M is matched with the teacher's value m·T/M of T (TinyBERT's uniform mapping), from 1. Default: as <c>student_layers</c>.
        /// </summary>
        public string? TeacherLayers { get; init; }

        /// <summary>How close two values are. Default <c>mean_squared</c>.</summary>
        public FeatureDistance Distance { get; init; } = FeatureDistance.MeanSquared;

        /// <summary>Weight of the hidden states beside the outputs, above 0. Default 1.</summary>
        [Range(1e-9, 1e9)] public double FeatureWeight { get; init; } = 1;

        /// <summary>Attention maps to match too, by name (TinyBERT). Default none.</summary>
        public ImmutableArray<ValuePair> AttentionPairs { get; init; } = [];

        /// <summary>Whether outputs are matched too; false for a first stage that learns hidden states alone. Default true.</summary>
        public bool MatchOutputs { get; init; } = true;

        /// <inheritdoc/>
        public override IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
        {
            foreach (var result in base.Validate(validationContext))
            {
                yield return result;
            }

            if (Pairs.Length > 0 == StudentLayers is not null)
            {
                yield return new("name the values to match either as 'pairs' or by 'student_layers'.", [nameof(Pairs), nameof(StudentLayers)]);
            }
        }
    }

    /// <inheritdoc/>
    public override StepResult Apply(Model model, Options options, StepContext context)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(context);
        using var teacher = context.Model(options.Teacher);
        var pairs = options.Pairs.Length > 0 ? options.Pairs : LayerMapping.Uniform(model, teacher, options.StudentLayers!, options.TeacherLayers ?? options.StudentLayers!);
        LayerMapping.Check(model, teacher, [.. pairs, .. options.AttentionPairs]);
        using var projections = Projections.Insert(model, teacher, pairs, context.Seed);
        PairLoss distance = options.Distance == FeatureDistance.Cosine ? new CosineDistance() : new HiddenStateMatching();
        var losses = ImmutableArray.Create<Loss>(distance with { Pairs = projections.Pairs, Weight = options.FeatureWeight });
        if (options.AttentionPairs.Length > 0)
        {
            losses = losses.Add(new AttentionMapMatching { Pairs = options.AttentionPairs, Weight = options.FeatureWeight });
        }

        var result = new Trainer(context).Fit(model, new TrainingPlan
        {
            Options = options,
            Losses = options.MatchOutputs ? [.. losses, .. options.ProbabilityLosses] : [.. losses, .. options.Losses],
            Teachers = [teacher],
            Phase = "distilling",
        });
        return new StepResult(model)
        {
            Layers = [.. pairs.Select((p, i) => new LayerOutcome(p.Student, "", "matched", $"with '{p.Teacher ?? p.Student}'" + (projections.IsProjected(i) ? " through a projection" : ""), []))],
            Notes = result.Notes,
        };
    }
}
