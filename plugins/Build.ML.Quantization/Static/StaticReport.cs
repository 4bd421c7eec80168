using System.Collections.Immutable;
using Build.ML.Abstractions.Inference;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Quantization.Static.Equalization;
using Build.ML.Quantization.Static.Rounding;
using Build.ML.Quantization.Weights;

namespace Build.ML.Quantization.Static;

/// <summary>Tells what was done to each layer. Made before the graph is edited, as names and ordinals change then.</summary>
internal sealed class StaticReport(StaticQuantization.Options options)
{
    private readonly List<(Node Node, string Name, string OpType, QdqNode? Quantized, string Reason, double? Alone)> _layers = [];
    private readonly List<string> _notes = [];
    private SensitivityResult? _found;

    /// <summary>Adds whether sums of products are exact on this machine, where the format leaves that open. The model does not depend on it.</summary>
    public void AddSaturation(IInference inference)
    {
        if (options is not { Activations: ActivationRounding.Int8, WeightType: QuantizedType.S8, ActivationType: QuantizedType.U8, ReduceRange: false, WeightBits: 8, ActivationBits: 8 })
        {
            return;
        }

        _notes.Add(SaturationProbe.Tell(inference) + " 'reduce_range: true' or 'weight_type: u8' avoids that.");
    }

    /// <summary>Adds what equalization did.</summary>
    public void Add(CrossLayerEqualization equalization) => _notes.Add(
        $"Cross-layer equalization scaled {equalization.Pairs} pairs of layers"
        + (equalization.Clipped == 0 ? "." : $"; {equalization.Clipped} stayed, since a Clip between them has a fixed bound."));

    /// <summary>Adds what a pass over the layers mended.</summary>
    public void Add(SequentialReconstruction reconstruction)
    {
        if (reconstruction.Learnt > 0)
        {
            _notes.Add($"Rounding was learnt for {reconstruction.Learnt} layers.");
        }

        if (reconstruction.Corrected > 0)
        {
            _notes.Add($"The biases of {reconstruction.Corrected} layers were corrected.");
        }

        _notes.AddRange(reconstruction.Left.GroupBy(l => l.Reason).Select(g => $"Not mended beyond that: {string.Join(", ", g.Select(l => l.Layer))}; {g.Key}."));
    }

    /// <summary>Adds what a search for layers to take out found.</summary>
    public void Add(SensitivityResult result) => _found = result;

    /// <summary>Notes names and reasons.</summary>
    public void Note(Model model, QdqPlan plan)
    {
        var found = _found;
        var quantized = plan.Nodes.ToDictionary(n => n.Node);
        var left = plan.Left.ToDictionary(l => l.Node, l => l.Reason);
        var ordinal = 0;
        foreach (var node in model.Graph.Nodes)
        {
            double? alone = found is not null && found.Costs.TryGetValue(ordinal, out var cost) ? cost : null;
            var sensitive = found is not null && found.Treatment.ContainsKey(ordinal);
            ordinal++;
            var reason = sensitive ? Sensitive(found!, alone!.Value) : "";
            if (quantized.TryGetValue(node, out var own))
            {
                reason = own.Form.Kernel is null ? $"ONNX Runtime has no integer {node.OpType} for CPUs" : reason;
                _layers.Add((node, LayerNames.Of(node), node.OpType, own, reason, alone));
            }
            else if (left.TryGetValue(node, out var why))
            {
                _layers.Add((node, LayerNames.Of(node), node.OpType, null, sensitive ? reason : why, alone));
            }
        }

        _layers.AddRange(plan.Nodes.Where(n => n.Node.Graph != model.Graph).Select(n => (n.Node, LayerNames.Of(n.Node), n.Node.OpType, (QdqNode?)n, "", (double?)null)));
        _layers.AddRange(plan.Left.Where(l => l.Node.Graph != model.Graph).Select(l => (l.Node, LayerNames.Of(l.Node), l.Node.OpType, (QdqNode?)null, l.Reason, (double?)null)));
    }

    /// <summary>The layers in order of execution.</summary>
    /// <param name="scales">Scales of the weights written.</param>
    public ImmutableArray<LayerOutcome> Layers(IReadOnlyDictionary<Node, WeightScales> scales)
    {
        var layers = ImmutableArray.CreateBuilder<LayerOutcome>(_layers.Count);
        foreach (var (node, name, opType, quantized, reason, alone) in _layers)
        {
            var figures = ImmutableArray.CreateBuilder<KeyValuePair<string, double>>();
            if (quantized is not null)
            {
                figures.Add(new("bits", options.ReduceRange ? 7 : quantized.Form.Weight is null ? options.ActivationBits : options.WeightBits));
            }

            if (scales.TryGetValue(node, out var weight))
            {
                figures.Add(new("weight_sqnr_db", weight.SqnrDecibels));
            }

            if (alone is { } sqnr)
            {
                figures.Add(new(_found!.CostUnit, sqnr));
            }

            var outcome = quantized is null ? "left" : quantized.WeightOnly ? "weight_only" : "quantized";
            layers.Add(new(name, opType, outcome, reason, figures.ToImmutable()));
        }

        return layers.MoveToImmutable();
    }

    /// <summary>Sentences for the report.</summary>
    public ImmutableArray<string> Notes()
    {
        var notes = ImmutableArray.CreateBuilder<string>();
        notes.AddRange(_notes);
        if (_found is { } found)
        {
            notes.Add($"Sensitivity: {found.Treatment.Count} layers taken out; {found.Reached} on the data searched with.");
        }

        return notes.ToImmutable();
    }

    private static string Sensitive(SensitivityResult found, double cost) => found.CostUnit == "output_sqnr_db"
        ? FormattableString.Invariant($"sensitive: quantized alone it leaves the output at {cost:0.####}")
        : FormattableString.Invariant($"sensitive: with it alone taken out the score is {Math.Abs(cost):0.####}");
}
