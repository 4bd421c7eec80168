using System.Collections.Immutable;
using System.ComponentModel;
using Build.ML.Abstractions.Techniques;
using Build.ML.FineTuning.Lora;
using Build.ML.Graph;

namespace Build.ML.FineTuning;

/// <summary>
/// Low-rank adaptation (Hu et al. 2021): the layers stay frozen, beside each runs an update of low rank, y + alpha/r·(x·A)·B, and only A and B are trained. Then they are added to the weights, so
/// that the model is as large and as fast as before; or kept as an adapter.
/// </summary>
[Technique("finetune.lora")]
[Description("Trains low-rank updates beside frozen layers, then merges them into the weights.")]
public sealed class LoraFineTuning : Technique<LoraFineTuning.Options>
{
    /// <summary>Options of <c>finetune.lora</c>.</summary>
    public sealed record Options : AdapterOptions
    {
        /// <summary>Whether the updates are added to the weights. Default true; layers whose weights are stored quantized keep their adapters either way.</summary>
        public bool Merge { get; init; } = true;
    }

    /// <inheritdoc/>
    public override StepResult Apply(Model model, Options options, StepContext context)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(context);
        var chosen = AdapterTraining.Choose(model, options);
        var (adapters, result) = AdapterTraining.Run(model, chosen.Layers, options, context);
        var merged = options.Merge ? adapters.Where(a => a.Layer.Weight is not null).ToImmutableArray() : [];
        foreach (var adapter in merged)
        {
            LowRankAdapters.Merge(model, adapter, options.Scale);
        }

        var kept = adapters.RemoveRange(merged);
        LowRankAdapters.RemoveUnused(model);
        return new StepResult(model)
        {
            Layers = [.. AdapterTraining.Outcomes(merged, options, "merged"), .. AdapterTraining.Outcomes(kept, options, "adapted"), .. chosen.Left],
            Notes = result.Notes,
        };
    }
}
