using System.Collections.Immutable;
using System.Globalization;
using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Coupling;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Passes;
using Build.ML.Pruning.Structured.Importances;
using Build.ML.Pruning.Structured.Recovery;
using Build.ML.Pruning.Structured.Widths;

namespace Build.ML.Pruning.Structured;

/// <summary>Takes the positions of least importance out of a model's axes until a target is reached: score, choose, remove, compensate; in one round or several.</summary>
/// <param name="options">What to do.</param>
/// <param name="kinds">Kinds of axes to prune.</param>
/// <param name="context">Data, inference, progress.</param>
/// <param name="time">Measures latency; default: the system's clock.</param>
internal sealed class StructuredPruner(StructuredPruningOptions options, ImmutableArray<AxisKind> kinds, StepContext context, TimeProvider? time = null)
{
    /// <summary>Prunes a model in place.</summary>
    /// <exception cref="DiagnosticException">BML5401 to BML5407 of selection and data, BML5630 to BML5639, BML56xx of the removal; the model is then not to be used.</exception>
    public StepResult Prune(Model model)
    {
        PassPipeline.Of(["constants-to-initializers"]).Run(model);
        new RemoveInitializerInputs().Run(model);
        var sample = FirstSample();
        using var original = model.Clone();
        var coupling = ChannelCoupling.Analyze(model);
        var (axes, left) = PrunableAxes.Find(model, coupling, kinds, options);
        var first = axes.ToDictionary(a => a.Name, a => (a.Size, OpType: PrunableAxes.OpTypeOf(a)), StringComparer.Ordinal);
        var before = Cost.Of(model, coupling, sample);
        using var search = new TargetSearch(model, coupling, axes, options.Target.Measure, sample, context, time ?? TimeProvider.System);
        var kept = new KeptPositions();
        for (var round = 1; round <= options.Iterations; round++)
        {
            context.Cancellation.ThrowIfCancellationRequested();
            if (round > 1)
            {
                coupling = ChannelCoupling.Analyze(model);
                axes = [.. coupling.Axes.Where(a => first.ContainsKey(a.Name))];
            }

            var scores = Score(model, coupling, axes);
            var order = new RemovalOrder(axes, scores, options.Scope, options.RoundTo, options.Minimum);
            var blocks = search.Find(model, coupling, axes, order, options.Target.Fraction * round / options.Iterations, sample);
            var removed = order.Positions(blocks).ToDictionary(p => axes[p.Key], p => (IReadOnlyList<int>)p.Value);
            kept.Remove(removed);
            coupling.Remove(removed);
            if (removed.Count > 0)
            {
                new PrunedModelRecovery(original, model, kept, options, context).Run();
            }
        }

        var after = ChannelCoupling.Analyze(model);
        return new StepResult(model)
        {
            Layers = [.. Outcomes(first, after), .. left],
            Notes = [.. Notes(before, Cost.Of(model, after, sample))],
        };
    }

    private IReadOnlyList<float[]> Score(Model model, ChannelCoupling coupling, List<ChannelAxis> axes)
    {
        context.Progress.Report(new(0, "scoring"));
        var scores = options.Importance.Score(new ImportanceContext { Model = model, Coupling = coupling, Axes = axes, Step = context, Data = options.Data });
        var errors = axes.Zip(scores).Where(s => s.Second.Any(x => !float.IsFinite(x)))
            .Select(s => new Diagnostic("BML5634", $"The importance of a position of '{s.First.Name}' is NaN or infinite. Mend the weights or the data it is taken from, or exclude the axis.")).ToArray();
        return errors.Length == 0 ? scores : throw new DiagnosticException(errors);
    }

    private Sample? FirstSample() => options.Data is not { } reference ? null
        : context.Data(reference) is { Count: > 0 } data ? data[0]
        : throw new DiagnosticException("BML5407", $"The calibration data '{reference.Name}' is empty. Check its files and 'limit'.");

    private static IEnumerable<LayerOutcome> Outcomes(Dictionary<string, (int Size, string OpType)> first, ChannelCoupling after)
    {
        var sizes = after.Axes.ToDictionary(a => a.Name, a => a.Size, StringComparer.Ordinal);
        foreach (var (name, (size, opType)) in first)
        {
            var now = sizes.GetValueOrDefault(name, 1); // what has one position is no axis
            yield return new(name, opType, now < size ? "pruned" : "left", now < size ? "" : "all of it counts for more", [new("before", size), new("after", now)]);
        }
    }

    private IEnumerable<string> Notes(Cost before, Cost after)
    {
        var macs = before.Macs is { } m && after.Macs is { } n
            ? string.Create(CultureInfo.InvariantCulture, $"Multiply-accumulates: {m:N0} before, {n:N0} after ({Percent(m, n)}). ") : "";
        yield return string.Create(CultureInfo.InvariantCulture, $"{macs}Parameters: {before.Parameters:N0} before, {after.Parameters:N0} after ({Percent(before.Parameters, after.Parameters)}).");
        yield return "What went is gone from every tensor: the model is smaller and, about as far as multiply-accumulates went, faster on every runtime"
            + (options.RoundTo % 8 == 0 ? "." : "; ONNX Runtime's convolutions compute 8 channels at a time, 16 with AVX-512, so that other sizes save less time.");
    }

    private static string Percent(double before, double after) => (after / before - 1).ToString("+0.0 %;−0.0 %;0 %", CultureInfo.InvariantCulture);

    // Multiply-accumulates are not known where sizes are not.
    private sealed record Cost(long? Macs, long Parameters)
    {
        public static Cost Of(Model model, ChannelCoupling coupling, Sample? sample)
        {
            var costs = new WidthCosts(model, coupling, sample);
            return new(costs.TryMacs(), costs.Parameters(static a => a.Size).Count);
        }
    }
}
