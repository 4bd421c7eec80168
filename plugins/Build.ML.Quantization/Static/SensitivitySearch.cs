using Build.ML.Abstractions.Selection;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Quantization.Static;

/// <summary>What a search found.</summary>
/// <param name="Treatment">By ordinal of the node in the main graph: nodes that are not quantized throughout.</param>
/// <param name="Costs">By ordinal: what was measured of that node; empty when the target held at once.</param>
/// <param name="CostUnit">What the figures of <paramref name="Costs"/> are.</param>
/// <param name="Reached">What the model reaches with that treatment, for people.</param>
internal sealed record SensitivityResult(
    IReadOnlyDictionary<int, LayerTreatment> Treatment, IReadOnlyDictionary<int, double> Costs, string CostUnit, string Reached);

/// <summary>Finds the layers to take out so that a target holds.</summary>
internal sealed class SensitivitySearch(
    Model model, LayerSelection selection, ActivationParameters activations, WeightTable weights, SensitivityScale scale, StepContext context)
{
    /// <summary>Searches.</summary>
    /// <exception cref="DiagnosticException">BML5408: the target is out of reach even with every layer taken out.</exception>
    public SensitivityResult Run(SensitivityFallback fallback)
    {
        var unit = scale.MeasuresAlone ? "output_sqnr_db" : "score_without";
        var none = new Dictionary<int, LayerTreatment>();
        var all = Measure(none, scale.Measure);
        if (all >= scale.Target)
        {
            return new(none, new Dictionary<int, double>(), unit, scale.Describe(all));
        }

        var treatments = Candidates(fallback);
        var costs = Costs(treatments);
        var order = treatments.Keys.OrderBy(l => scale.MeasuresAlone ? costs[l] : -costs[l]).ThenBy(l => l).ToArray();

        // Doubling finds a number of layers that is enough, halving the least: taking out one more layer hardly ever makes the output worse.
        int tooFew = 0, enough = 1;
        var reached = Try(enough);
        while (reached < scale.Target)
        {
            if (enough == order.Length)
            {
                throw new DiagnosticException(
                    "BML5408",
                    $"The sensitivity target {scale.Describe(scale.Target)} is out of reach: with every layer taken out "
                    + $"({Abstractions.SnakeCase.Of(fallback.ToString())}) it is {scale.Describe(reached)}, with all quantized {scale.Describe(all)}. "
                    + "Lower the target, use 'fallback: float', or try another calibrator.");
            }

            (tooFew, enough) = (enough, Math.Min(enough * 2, order.Length));
            reached = Try(enough);
        }

        while (enough - tooFew > 1)
        {
            var middle = (tooFew + enough) / 2;
            var tried = Try(middle);
            if (tried >= scale.Target)
            {
                (enough, reached) = (middle, tried);
            }
            else
            {
                tooFew = middle;
            }
        }

        var taken = Treat(enough);
        foreach (var layer in scale.MeasuresAlone ? [] : order.Take(enough).Reverse())
        {
            // Two layers that gain only together, or the same gain twice: what the model does well with is quantized after all.
            var fewer = taken.Where(t => t.Key != layer).ToDictionary();
            var tried = Measure(fewer, scale.Measure);
            (taken, reached) = tried >= scale.Target ? (fewer, tried) : (taken, reached);
        }

        return new(taken, costs, unit, scale.Describe(reached));

        Dictionary<int, LayerTreatment> Treat(int count) => order.Take(count).ToDictionary(l => l, l => treatments[l]);

        double Try(int count)
        {
            context.Progress.Report(new(0.9, $"measuring with {count} of {order.Length} layers taken out"));
            return Measure(Treat(count), scale.Measure);
        }
    }

    private Dictionary<int, double> Costs(Dictionary<int, LayerTreatment> treatments)
    {
        var costs = new Dictionary<int, double>();
        foreach (var layer in treatments.Keys)
        {
            context.Progress.Report(new((double)costs.Count / treatments.Count, "measuring sensitivity"));
            costs[layer] = Measure(scale.MeasuresAlone
                ? treatments.Keys.Where(l => l != layer).ToDictionary(l => l, _ => LayerTreatment.Leave)
                : new() { [layer] = treatments[layer] }, scale.MeasureOne);
        }

        return costs;
    }

    /// <summary>Ordinals of what computes in integers, and what it becomes when it is taken out; what merely moves integers follows what it moves.</summary>
    private Dictionary<int, LayerTreatment> Candidates(SensitivityFallback fallback)
    {
        var planned = QdqPlan.Of(model, selection, new Dictionary<int, LayerTreatment>()).Nodes
            .Where(n => !n.WeightOnly && n.Form.Output != QdqOutput.SameAsInput).ToDictionary(n => n.Node);
        var candidates = new Dictionary<int, LayerTreatment>();
        var ordinal = 0;
        foreach (var node in model.Graph.Nodes)
        {
            if (planned.TryGetValue(node, out var own) && (own.Form.Weight is not null || !scale.MeasuresAlone))
            {
                candidates.Add(ordinal, own.Form.Weight is null || fallback == SensitivityFallback.Float ? LayerTreatment.Leave : LayerTreatment.WeightOnly);
            }

            ordinal++;
        }

        return candidates;
    }

    private double Measure(Dictionary<int, LayerTreatment> treatment, Func<Model, double> measure)
    {
        context.Cancellation.ThrowIfCancellationRequested();
        using var copy = model.Clone();
        new QdqWriter(copy.Graph, QdqPlan.Of(copy, selection, treatment), activations, weights).Write();
        return measure(copy);
    }
}
