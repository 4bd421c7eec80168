using Build.ML.Abstractions.Selection;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Quantization.Static;

/// <summary>What a search found.</summary>
/// <param name="Treatment">By ordinal of the node in the main graph: layers that are not quantized throughout.</param>
/// <param name="Alone">By ordinal: SQNR of the output in dB with only that layer quantized; empty when the target held at once.</param>
/// <param name="Reached">Fidelity with that treatment.</param>
internal sealed record SensitivityResult(
    IReadOnlyDictionary<int, LayerTreatment> Treatment, IReadOnlyDictionary<int, double> Alone, Fidelity Reached);

/// <summary>Finds the layers to take out so that a target holds.</summary>
internal sealed class SensitivitySearch(
    Model model, LayerSelection selection, ActivationParameters activations, WeightTable weights, OutputFidelity fidelity, StepContext context)
{
    /// <summary>Searches.</summary>
    /// <exception cref="DiagnosticException">BML5408: the target is out of reach even with every layer taken out.</exception>
    public SensitivityResult Run(Sensitivity options)
    {
        var none = new Dictionary<int, LayerTreatment>();
        var all = Measure(none);
        if (options.Of(all) >= options.Target)
        {
            return new(none, new Dictionary<int, double>(), all);
        }

        var layers = Layers();
        var alone = MeasureAlone(layers);
        var order = layers.OrderBy(l => alone[l]).ThenBy(l => l).ToArray();
        var fallback = options.Fallback == SensitivityFallback.Float ? LayerTreatment.Leave : LayerTreatment.WeightOnly;

        // Doubling finds a number of layers that is enough, halving the least: taking out one more layer hardly ever makes the output worse.
        int tooFew = 0, enough = 1;
        var reached = Try(enough);
        while (options.Of(reached) < options.Target)
        {
            if (enough == order.Length)
            {
                throw new DiagnosticException(
                    "BML5408",
                    $"The sensitivity target {options.Target} of {Abstractions.SnakeCase.Of(options.Metric.ToString())} is out of reach: with every layer taken out "
                    + $"({Abstractions.SnakeCase.Of(options.Fallback.ToString())}) it is {options.Of(reached):0.####}, with all quantized {options.Of(all):0.####}. "
                    + "Lower the target, use 'fallback: float', or try another calibrator.");
            }

            (tooFew, enough) = (enough, Math.Min(enough * 2, order.Length));
            reached = Try(enough);
        }

        while (enough - tooFew > 1)
        {
            var middle = (tooFew + enough) / 2;
            var tried = Try(middle);
            if (options.Of(tried) >= options.Target)
            {
                (enough, reached) = (middle, tried);
            }
            else
            {
                tooFew = middle;
            }
        }

        return new(Treat(enough), alone, reached);

        Dictionary<int, LayerTreatment> Treat(int count) => order.Take(count).ToDictionary(l => l, _ => fallback);

        Fidelity Try(int count)
        {
            context.Progress.Report(new(0.9, $"measuring with {count} of {order.Length} layers taken out"));
            return Measure(Treat(count));
        }
    }

    private Dictionary<int, double> MeasureAlone(List<int> layers)
    {
        var alone = new Dictionary<int, double>();
        for (var i = 0; i < layers.Count; i++)
        {
            context.Progress.Report(new((double)i / layers.Count, "measuring sensitivity"));
            var others = layers.Where(l => l != layers[i]).ToDictionary(l => l, _ => LayerTreatment.Leave);
            alone[layers[i]] = Measure(others).SqnrDecibels;
        }

        return alone;
    }

    /// <summary>Ordinals of the layers with weights that are quantized throughout.</summary>
    private List<int> Layers()
    {
        var planned = QdqPlan.Of(model, selection, new Dictionary<int, LayerTreatment>()).Nodes
            .Where(n => n.Form.Weight is not null && !n.WeightOnly).Select(n => n.Node).ToHashSet();
        var layers = new List<int>();
        var ordinal = 0;
        foreach (var node in model.Graph.Nodes)
        {
            if (planned.Contains(node))
            {
                layers.Add(ordinal);
            }

            ordinal++;
        }

        return layers;
    }

    private Fidelity Measure(IReadOnlyDictionary<int, LayerTreatment> treatment)
    {
        context.Cancellation.ThrowIfCancellationRequested();
        using var copy = model.Clone();
        new QdqWriter(copy.Graph, QdqPlan.Of(copy, selection, treatment), activations, weights).Write();
        return fidelity.Measure(copy);
    }
}
