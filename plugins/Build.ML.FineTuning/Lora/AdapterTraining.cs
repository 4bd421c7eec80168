using System.Collections.Immutable;
using Build.ML.Abstractions.Selection;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Training;

namespace Build.ML.FineTuning.Lora;

/// <summary>Trains adapters beside frozen layers.</summary>
internal static class AdapterTraining
{
    /// <summary>The layers to adapt, and why others are left.</summary>
    /// <exception cref="DiagnosticException">BML8220: an operator that cannot be adapted is asked for; BML8221: no layer can be adapted; or see <see cref="LayerSelection"/>.</exception>
    public static (ImmutableArray<AdaptableLayer> Layers, ImmutableArray<LayerOutcome> Left) Choose(Model model, AdapterOptions options)
    {
        var unknown = options.OpTypes.Where(o => !AdaptableLayer.OpTypes.Contains(o))
            .Select(o => new Diagnostic("BML8220", $"op_types: '{o}' cannot be adapted; possible are {string.Join(", ", AdaptableLayer.OpTypes)}.")).ToArray();
        if (unknown.Length > 0)
        {
            throw new DiagnosticException(unknown);
        }

        var chosen = AdaptableLayer.Find(model, new LayerSelection(model, options.OpTypes, options.Include, options.Exclude));
        return chosen.Layers.Length > 0 ? chosen : throw new DiagnosticException(
            "BML8221", "No layer can be adapted: " + string.Join("; ", chosen.Left.Take(5).Select(l => $"{l.Layer}: {l.Reason}").DefaultIfEmpty("the model has no MatMul or Gemm with a weight")) + ".");
    }

    /// <summary>Inserts adapters into the model and trains them.</summary>
    public static (ImmutableArray<LowRankAdapter> Adapters, TrainingResult Result) Run(
        Model model, ImmutableArray<AdaptableLayer> layers, AdapterOptions options, StepContext context)
    {
        var adapters = LowRankAdapters.Insert(model, layers, options, context.Seed);
        var trained = adapters.SelectMany(a => new[] { a.A.Name, a.B.Name }).ToHashSet(StringComparer.Ordinal);
        var also = options.TrainAlso.Select(p => new NamePattern(p)).ToArray();
        CheckPatterns(model, also);
        var result = new Trainer(context).Fit(model, new TrainingPlan
        {
            Options = options,
            Losses = options.ChosenLosses(),
            Trainable = v => trained.Contains(v.Name) || also.Any(p => p.Matches(v.Name)),
            Phase = "adapting",
        });
        return (adapters, result);
    }

    /// <summary>What became of each layer.</summary>
    public static IEnumerable<LayerOutcome> Outcomes(ImmutableArray<LowRankAdapter> adapters, AdapterOptions options, string outcome) => adapters.Select(a => new LayerOutcome(
        a.Layer.Name, a.Layer.Node.OpType, outcome, "",
        [new("rank", options.Rank), new("parameters", (double)options.Rank * (a.Layer.Inputs + a.Layer.Outputs))]));

    private static void CheckPatterns(Model model, NamePattern[] patterns)
    {
        var errors = patterns.Where(p => !model.Graph.Initializers.Any(i => i.ElementType == DataType.Float && p.Matches(i.Name)))
            .Select(p => new Diagnostic("BML8222", $"train_also: '{p.Text}' fits no float weight of the model. Correct the pattern or remove it.")).ToArray();
        if (errors.Length > 0)
        {
            throw new DiagnosticException(errors);
        }
    }
}
