using System.Collections.Immutable;
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Passes;
using Build.ML.Graph.Tensors;
using Build.ML.Training;

namespace Build.ML.Pruning.Gradual;

/// <summary>
/// Trains a model while more and more of its weights become 0, so that the others take over what these did (Zhu and Gupta 2017, "To prune, or not to prune", arXiv 1710.01878). Biases stay.
/// The weights that go are those of least magnitude, or those that training moves towards 0 (Sanh, Wolf and Rush 2020, "Movement Pruning: Adaptive Sparsity by Fine-Tuning",
/// arXiv 2005.07683), which is the better choice where a trained model learns another task. One that went comes back when it counts for more than another that stayed.
/// </summary>
[Technique("prune.gradual")]
[Description("Trains a model while more and more of its weights become zero, by magnitude or by movement.")]
public sealed class GradualPruning : Technique<GradualPruning.Options>
{
    /// <summary>Options of <c>prune.gradual</c>: those of training, and which weights go when.</summary>
    public sealed record Options : TrainingOptions
    {
        /// <summary>Fraction of weights that are 0 in the end, above 0 and below 1; the number of weights is rounded to nearest. Default 0.5. Not used with <c>pattern</c>.</summary>
        [Range(0.001, 0.9999)]
        public double Sparsity { get; init; } = 0.5;

        /// <summary>Fraction of weights that are 0 from <c>begin</c> on, 0 to 1, at most <c>sparsity</c>. Default 0.</summary>
        [Range(0d, 1d)]
        public double InitialSparsity { get; init; }

        /// <summary>When zeros begin to come, as a fraction of the steps, 0 to 1. Default 0.</summary>
        [Range(0d, 1d)]
        public double Begin { get; init; }

        /// <summary>When the last have come, as a fraction of the steps, above <c>begin</c>, at most 1; from then on the weights that stay are trained. Default 0.75.</summary>
        [Range(0d, 1d)]
        public double End { get; init; } = 0.75;

        /// <summary>Steps from one choice of weights to the next, 1 or more. Default: fifty choices.</summary>
        [Range(1, 1 << 30)]
        public int? Every { get; init; }

        /// <summary>What tells which weights go: <c>magnitude</c> (default) or <c>movement</c>.</summary>
        public PruningImportance Importance { get; init; } = PruningImportance.Magnitude;

        /// <summary>Among which weights those that count least are looked for: <c>layer</c> (default) or <c>global</c>. Not used with <c>pattern</c>.</summary>
        public PruningScope Scope { get; init; } = PruningScope.Layer;

        /// <summary>
        /// <c>N:M</c>, such as <c>2:4</c>: in the end, of every M weights along the axis that products are summed over, N stay. M is at most 64. Default none.
        /// </summary>
        [RegularExpression("^[0-9]{1,2}:[0-9]{1,2}$", ErrorMessage = "expected N:M, such as 2:4")]
        public string? Pattern { get; init; }

        /// <summary>Operators to prune, of Conv, ConvTranspose, Gemm, MatMul. Default all of them.</summary>
        public ImmutableArray<string> OpTypes { get; init; } = [];

        /// <summary>Globs over names of nodes, outputs and weights; only layers that fit one are pruned. Default all.</summary>
        public ImmutableArray<string> Include { get; init; } = [];

        /// <summary>Globs over names of nodes, outputs and weights; layers that fit one are trained but not pruned. Default none.</summary>
        public ImmutableArray<string> Exclude { get; init; } = [];

        /// <summary>Losses, whose weighted sum is made small. Default <c>cross_entropy</c>, or with a teacher <c>kl_divergence</c>, which needs no labels.</summary>
        public ImmutableArray<Loss> Losses { get; init; } = [];

        /// <summary>A model to learn from; <c>model</c> is the recipe's own before anything was done to it (self-distillation). Default none: labels.</summary>
        public ModelReference? Teacher { get; init; }

        /// <summary>The sparsity in the end.</summary>
        internal double FinalSparsity => SparsityPattern.Parse(Pattern) is var (keep, of) ? 1 - (double)keep / of : Sparsity;

        /// <summary>The losses that are meant.</summary>
        internal ImmutableArray<Loss> AllLosses => Losses.Length > 0 ? Losses : Teacher is null ? [new CrossEntropy()] : [new KullbackLeiblerDivergence()];

        /// <summary>When the sparsity is what in a run of so many steps.</summary>
        internal SparsitySchedule ScheduleOf(long steps)
        {
            var end = Math.Max(1, (long)Math.Round(steps * End));
            var begin = Math.Clamp((long)Math.Round(steps * Begin), 1, end);
            return new(InitialSparsity, FinalSparsity, begin, end, Every ?? Math.Max(1, (end - begin) / 50));
        }

        /// <inheritdoc/>
        public override IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
        {
            foreach (var result in base.Validate(validationContext))
            {
                yield return result;
            }

            if (SparsityPattern.Mistake(Pattern) is { } mistake)
            {
                yield return new(mistake, [nameof(Pattern)]);
            }
            else if (InitialSparsity > FinalSparsity)
            {
                yield return new($"'initial_sparsity' is {InitialSparsity}, above the final {FinalSparsity}.", [nameof(InitialSparsity)]);
            }

            if (Begin >= End)
            {
                yield return new($"'begin' ({Begin}) must be before 'end' ({End}).", [nameof(Begin)]);
            }
        }
    }

    /// <inheritdoc/>
    public override StepResult Apply(Model model, Options options, StepContext context)
    {
        PassPipeline.Of(["constants-to-initializers"]).Run(model);
        new RemoveInitializerInputs().Run(model);
        var (layers, outcomes) = PrunableLayers.Find(model, options.OpTypes, options.Include, options.Exclude);
        foreach (var frozen in layers.Where(l => l.Node.Graph != model.Graph || options.Frozen.Any(p => new Abstractions.Selection.NamePattern(p).Matches(l.Weight.Value.Name))).ToArray())
        {
            layers.Remove(frozen);
            outcomes.Add(new(
                PrunableLayers.NameOf(frozen.Node), frozen.Node.OpType, "left", frozen.Node.Graph != model.Graph ? "it is in a subgraph, which is not trained" : "its weight is frozen", []));
        }

        var weights = layers.Select(l => new GradualWeight(l.Weight.Value.Name, l.Weight.ReductionAxis, l.Weight.Tensor.Sizes.AsSpan(), options.Importance)).ToArray();
        var mask = new GradualMask(weights, options);
        using var teacher = options.Teacher is { } reference ? context.Model(reference) : null;
        var training = new Trainer(context).Fit(model, new TrainingPlan
        {
            Options = options,
            Losses = options.AllLosses,
            Teachers = teacher is null ? [] : [teacher],
            Hooks = [mask],
            Phase = "pruning",
        });
        var notes = training.Notes.ToBuilder();
        Conclude(model, weights, mask, training, notes);
        foreach (var ((node, weight), gradual) in layers.Zip(weights))
        {
            var zeros = gradual.Mask.Count(0u);
            outcomes.Add(new(PrunableLayers.NameOf(node), node.OpType, "pruned", "", [new("sparsity", gradual.Count == 0 ? 0 : (double)zeros / gradual.Count)]));
        }

        notes.Add(PrunableLayers.WhatZerosDo);
        return new StepResult(model) { Layers = outcomes.ToImmutable(), Notes = notes.ToImmutable() };
    }

    // A run that stopped early, or whose best weights are of a time with fewer zeros, has the final sparsity all the same.
    private static void Conclude(Model model, GradualWeight[] weights, GradualMask mask, TrainingResult training, ImmutableArray<string>.Builder notes)
    {
        if (training.Steps < mask.Schedule.End)
        {
            mask.Choose(mask.Schedule.Final);
            notes.Add($"Training stopped before step {mask.Schedule.End}, from which on the sparsity is final: the weights that were still to go went at once.");
        }
        else if (training.Best is { } best && best.Step < mask.Schedule.End)
        {
            notes.Add($"The best validation was before step {mask.Schedule.End}, from which on the sparsity is final: the weights that were still to go were taken out of it at once.");
        }

        foreach (var weight in weights)
        {
            var value = model.Graph.Find(weight.Name)!;
            var numbers = value.Initializer!.ToArray<float>();
            weight.Cut(numbers);
            model.Graph.SetInitializer(value, Tensor.Of(numbers, value.Initializer.Sizes.AsSpan()));
        }
    }
}
