using System.Collections.Immutable;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Passes;
using Build.ML.Training;
using Build.ML.Training.Random;
using Build.ML.WeightSharing.Storage;

namespace Build.ML.WeightSharing;

/// <summary>What techniques that share weights do: find codebooks, put them into the graph, train them where asked to, pack the indices.</summary>
/// <param name="options">Which layers, how many bits.</param>
/// <param name="context">Of the step.</param>
/// <param name="rule">Makes the rule of a layer.</param>
internal sealed class WeightSharer(SharingOptions options, StepContext context, Func<CounterRandom, CodebookRule> rule)
{
    /// <summary>Shares the weights of a model.</summary>
    /// <exception cref="DiagnosticException">BML5401, BML5402, BML5406 of the selection, BML5403 weights that are not finite, BML5404 the operator set, and those of training.</exception>
    public StepResult Apply(Model model)
    {
        PassPipeline.Of(["constants-to-initializers"]).Run(model);
        new RemoveInitializerInputs().Run(model);
        var (layers, outcomes) = SharableLayers.Find(model, options);
        var stored = new List<StoredWeight>();
        var errors = new List<Diagnostic>();
        long before = 0, after = 0;
        for (var i = 0; i < layers.Count; i++)
        {
            context.Cancellation.ThrowIfCancellationRequested();
            context.Progress.Report(new((double)i / layers.Count, "clustering"));
            var (weight, bits) = layers[i];
            var tensor = weight.Value.Constant!;
            var axis = options.Granularity == CodebookGranularity.Channel ? weight.ChannelAxis : -1;
            if (tensor.Count == 0)
            {
                outcomes.Add(new(weight.Name, weight.Node.OpType, "left", "its weight is empty", []));
                continue;
            }

            if (SharedWeight.Of(tensor, axis, bits, options.KeepZeros, rule(new CounterRandom(context.Seed).Fork(i)), context.Threads) is not { } shared)
            {
                errors.Add(new("BML5403", $"The weight '{weight.Value.Name}' of {weight.Name} has elements that are NaN or infinite. Mend the model, or exclude the layer."));
                continue;
            }

            var bytes = StoredWeight.Bytes(shared);
            if (bytes >= tensor.ByteLength)
            {
                outcomes.Add(new(weight.Name, weight.Node.OpType, "left", $"codebook and indices would take {bytes} bytes instead of {tensor.ByteLength}", []));
                continue;
            }

            RequireOpset(model, shared.Bits);
            (before, after) = (before + tensor.ByteLength, after + bytes);
            stored.Add(new StoredWeight(weight.Value, axis, shared));
            outcomes.Add(new(weight.Name, weight.Node.OpType, "shared", "", Figures(shared)));
        }

        if (errors.Count > 0)
        {
            throw new DiagnosticException(errors);
        }

        var notes = ImmutableArray.CreateBuilder<string>();
        notes.Add(string.Create(System.Globalization.CultureInfo.InvariantCulture,
            $"{stored.Count} weights share their values: {before / 1000d:0.#} kB became {after / 1000d:0.#} kB. That makes the file smaller, not the model faster: ONNX Runtime restores them once, when it opens the model."));
        if (options.FineTune is { } training && stored.Count > 0)
        {
            Train(model, training, stored, notes);
        }

        var decoders = new Dictionary<OnnxGraph, IndexDecoder>();
        foreach (var weight in stored)
        {
            weight.Pack(decoders);
        }

        return new StepResult(model) { Layers = outcomes.ToImmutable(), Notes = notes.ToImmutable() };
    }

    private void Train(Model model, CodebookTraining training, List<StoredWeight> stored, ImmutableArray<string>.Builder notes)
    {
        var trained = stored.Where(s => s.IsTrainable(model)).ToArray();
        var codebooks = trained.Select(s => s.CodebookName).ToHashSet(StringComparer.Ordinal);
        using var teacher = training.Teacher is { } reference ? context.Model(reference) : null;
        var result = new Trainer(context).Fit(model, new TrainingPlan
        {
            Options = training,
            Losses = training.ChosenLosses,
            Teachers = teacher is null ? [] : [teacher],
            Trainable = v => codebooks.Contains(v.Name) || TrainableWeights.IsWeight(v),
            Hooks = [new ZeroHold(trained)],
            Phase = "training codebooks",
        });
        notes.AddRange(result.Notes);
    }

    private static void RequireOpset(Model model, int bits)
    {
        if (bits < 8 && model.Opset < IndexDecoder.Opset)
        {
            throw new DiagnosticException(
                "BML5404",
                $"The model uses operator set {model.Opset}, indices of fewer than 8 bits need {IndexDecoder.Opset} or later. "
                + $"Put a step 'use: optimize.graph' with 'opset: {IndexDecoder.Opset}' before this one, or share with 8 bits.");
        }
    }

    private static ImmutableArray<KeyValuePair<string, double>> Figures(SharedWeight shared) =>
    [
        new("bits", shared.Bits),
        new("values", shared.Entries),
        .. double.IsFinite(shared.SignalToNoise) ? [new KeyValuePair<string, double>("sqnr_db", shared.SignalToNoise)] : Array.Empty<KeyValuePair<string, double>>(),
    ];
}
