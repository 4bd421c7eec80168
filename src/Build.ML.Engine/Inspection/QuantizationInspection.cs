using System.Collections.Immutable;
using Build.ML.Abstractions.Inference;
using Build.ML.Graph;
using Build.ML.Graph.Catalogs;
using Build.ML.Graph.Ir;

namespace Build.ML.Engine.Inspection;

/// <summary>How a layer of a model is quantized.</summary>
/// <param name="Layer">The node's name, or its output's.</param>
/// <param name="OpType">Operator in the file.</param>
/// <param name="Kernel">The kernel that ONNX Runtime runs it with on this machine, fused with neighbours; empty where that was not looked up.</param>
/// <param name="Form">How the weight is stored: <c>QDQ</c>, <c>MatMulNBits</c>, …; <c>-</c> for real numbers.</param>
/// <param name="Type">Element type of the stored weight.</param>
/// <param name="Bits">Bits of one weight, scales not counted.</param>
/// <param name="Granularity">How many weights share a scale.</param>
/// <param name="Activations">What the layer multiplies with.</param>
/// <param name="Elements">Number of weights.</param>
/// <param name="Bytes">Bytes of the weight with its scales and zero points.</param>
/// <param name="WeightSqnrDecibels">10·log10(Σw²/Σ(w−ŵ)²) against the same layer of the source model; null without one, infinite where they are equal.</param>
public sealed record QuantizedLayer(
    string Layer, string OpType, string Kernel, string Form, string Type, int Bits, string Granularity, string Activations, long Elements, long Bytes,
    double? WeightSqnrDecibels)
{
    /// <summary>Whether the weight is stored in integers.</summary>
    public bool IsQuantized => Form != "-";
}

/// <summary>Reads off any model, whoever quantized it, how its layers are quantized.</summary>
/// <param name="inference">Says which kernels run, and computes what integers stand for.</param>
public sealed class QuantizationInspection(IInference inference)
{
    private readonly ImmutableArray<WeightForm> _forms = [.. Catalog<WeightForm>.Scan(typeof(WeightForm).Assembly).Select(e => e.Create())];

    /// <summary>The layers with a constant weight of two dimensions or more, in the order of the file.</summary>
    /// <param name="model">The model; not changed.</param>
    /// <param name="source">The model it was made from, to tell the error of each weight; null to leave that out.</param>
    public ImmutableArray<QuantizedLayer> Layers(Model model, Model? source = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        using var optimized = inference.Optimize(model);
        var kernels = optimized is null ? null : new KernelMap(optimized);
        var sources = source is null ? null : new SourceWeights(source, this);
        var layers = ImmutableArray.CreateBuilder<QuantizedLayer>();
        foreach (var node in model.AllNodes)
        {
            if (Find(node) is not var (form, stored))
            {
                continue;
            }

            layers.Add(new(
                NameOf(node),
                node.OpType,
                kernels?.Of(node) ?? "",
                stored.Form,
                stored.Data.Constant!.Type.OnnxName(),
                stored.Bits,
                stored.Granularity,
                stored.Activations,
                stored.Elements,
                stored.Bytes,
                sources?.Sqnr(stored, () => form.Read(node, model, inference))));
        }

        return layers.ToImmutable();
    }

    /// <summary>How reports name a layer.</summary>
    internal static string NameOf(Node node) => node.Name.Length > 0 ? node.Name : node.Outputs[0].Name;

    /// <summary>The form of a node's weight, or null where it has none.</summary>
    internal (WeightForm Form, StoredWeight Stored)? Find(Node node)
    {
        foreach (var form in _forms)
        {
            if (form.Describe(node) is { } stored)
            {
                return (form, stored);
            }
        }

        return null;
    }

    /// <summary>The weights of the model something was made from.</summary>
    private sealed class SourceWeights(Model source, QuantizationInspection inspection)
    {
        private readonly List<(string Name, WeightForm Form, StoredWeight Stored, Node Node)> _weights =
            [.. from node in source.AllNodes let found = inspection.Find(node) where found is not null select (found.Value.Stored.Data.Name, found.Value.Form, found.Value.Stored, node)];

        /// <summary>The error of a weight. Its origin is the weight whose name its own begins with: quantizers append to names.</summary>
        public double? Sqnr(StoredWeight stored, Func<Graph.Tensors.Tensor?> read)
        {
            var origin = _weights.Where(w => w.Stored.Elements == stored.Elements && stored.Data.Name.StartsWith(w.Name, StringComparison.Ordinal))
                .OrderByDescending(w => w.Name.Length).FirstOrDefault();
            if (origin.Form is null || origin.Form.Read(origin.Node, source, inspection.Inference) is not { } original || read() is not { } actual
                || !original.Sizes.AsSpan().SequenceEqual(actual.Sizes.AsSpan()))
            {
                return null;
            }

            using var a = original.Read<float>();
            using var b = actual.Read<float>();
            double signal = 0, noise = 0;
            for (var i = 0; i < a.Span.Length; i++)
            {
                var error = (double)a.Span[i] - b.Span[i];
                signal += (double)a.Span[i] * a.Span[i];
                noise += error * error;
            }

            return noise == 0 ? double.PositiveInfinity : 10 * Math.Log10(signal / noise);
        }
    }

    private IInference Inference => inference;
}
