using System.Collections.Immutable;
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using Build.ML.Abstractions.Selection;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Pruning;

/// <summary>
/// Sets the weights of least magnitude to 0 (Han et al. 2015, "Learning both Weights and Connections for Efficient Neural Networks"), exactly as many as asked for. Biases stay.
/// Weights are read and written tensor by tensor.
/// </summary>
[Technique("prune.magnitude")]
[Description("Sets the weights of least magnitude to zero: by layer, over all layers, or N of every M.")]
public sealed class MagnitudePruning : Technique<MagnitudePruning.Options>
{
    /// <summary>Options of <c>prune.magnitude</c>.</summary>
    public sealed record Options : IValidatableObject
    {
        /// <summary>Fraction of weights set to 0, 0 to 1; the number of weights is rounded to nearest. Default 0.5. Not used with <c>pattern</c>.</summary>
        [Range(0d, 1d)]
        public double Sparsity { get; init; } = 0.5;

        /// <summary>Among which weights the smallest are looked for: <c>layer</c> (default) or <c>global</c>. Not used with <c>pattern</c>.</summary>
        public PruningScope Scope { get; init; } = PruningScope.Layer;

        /// <summary>
        /// <c>N:M</c>, such as <c>2:4</c>: of every M weights along the axis that products are summed over, the N greatest stay. M is at most 64. Default none.
        /// </summary>
        [RegularExpression("^[0-9]{1,2}:[0-9]{1,2}$", ErrorMessage = "expected N:M, such as 2:4")]
        public string? Pattern { get; init; }

        /// <summary>Operators to prune, of Conv, ConvTranspose, Gemm, MatMul. Default all of them.</summary>
        public ImmutableArray<string> OpTypes { get; init; } = [];

        /// <summary>Globs over names of nodes, outputs and weights; only layers that fit one are pruned. Default all.</summary>
        public ImmutableArray<string> Include { get; init; } = [];

        /// <summary>Globs over names of nodes, outputs and weights; layers that fit one are left as they are. Default none.</summary>
        public ImmutableArray<string> Exclude { get; init; } = [];

        /// <summary>N and M of the pattern, or null.</summary>
        internal (int Keep, int Of)? Block => Pattern?.Split(':') is [var n, var m]
            ? (int.Parse(n, CultureInfo.InvariantCulture), int.Parse(m, CultureInfo.InvariantCulture))
            : null;

        /// <inheritdoc/>
        public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
        {
            if (Pattern is { Length: > 2 } && Block is var (keep, of) && (keep < 1 || keep >= of || of > 64))
            {
                yield return new ValidationResult($"N:M needs 1 ≤ N < M ≤ 64, got {Pattern}.", [nameof(Pattern)]);
            }
        }
    }

    private sealed record Layer(Node Node, PrunableWeight Weight);

    /// <inheritdoc/>
    public override StepResult Apply(Model model, Options options, StepContext context)
    {
        CheckOpTypes(options.OpTypes);
        var selection = new LayerSelection(model, options.OpTypes, options.Include, options.Exclude);
        var outcomes = ImmutableArray.CreateBuilder<LayerOutcome>();
        var layers = new List<Layer>();
        var taken = new HashSet<Value>();
        foreach (var node in model.AllNodes)
        {
            if (PrunableWeight.Of(node) is not { } weight || !taken.Add(weight.Value))
            {
                continue;
            }

            if (selection.ReasonToLeave(node) is { } reason)
            {
                outcomes.Add(new(NameOf(node), node.OpType, "left", reason, []));
                continue;
            }

            layers.Add(new(node, weight));
        }

        if (layers.Count == 0)
        {
            throw new DiagnosticException(
                "BML5406",
                $"No layer was pruned: the model has {outcomes.Count} layers with constant float weights, and the selection leaves all of them. "
                + "Remove the step or widen its selection.");
        }

        Prune(layers, options, context, outcomes);
        return new StepResult(model)
        {
            Layers = outcomes.ToImmutable(),
            Notes = ["Zeros make the model smaller where it is compressed (gzip_size), not faster: ONNX Runtime's CPU kernels multiply by them all the same."],
        };
    }

    private static void Prune(List<Layer> layers, Options options, StepContext context, ImmutableArray<LayerOutcome>.Builder outcomes)
    {
        var global = options.Block is null && options.Scope == PruningScope.Global
            ? MagnitudeThreshold.Find([.. layers.Select(l => l.Weight.Tensor)], Number(layers.Sum(l => l.Weight.Tensor.Count), options.Sparsity), context.Cancellation)
            : null;
        for (var i = 0; i < layers.Count; i++)
        {
            context.Cancellation.ThrowIfCancellationRequested();
            context.Progress.Report(new((double)i / layers.Count, "pruning"));
            var (node, weight) = layers[i];
            var tensor = weight.Tensor;
            var figures = ImmutableArray.CreateBuilder<KeyValuePair<string, double>>();
            PruningMask mask;
            if (options.Block is var (keep, of))
            {
                mask = BlockMaskOf(tensor, weight.ReductionAxis, keep, of);
            }
            else
            {
                var threshold = global ?? MagnitudeThreshold.Find([tensor], Number(tensor.Count, options.Sparsity), context.Cancellation);
                mask = new ThresholdMask(threshold.Bits, threshold.Ties[global is null ? 0 : i]);
                figures.Add(new("threshold", threshold.Magnitude));
            }

            var content = new PrunedContent(tensor, mask);
            figures.Insert(0, new("sparsity", tensor.Count == 0 ? 0 : (double)content.CountZeros() / tensor.Count));
            weight.Replace(new Tensor(tensor.Type, tensor.Sizes.AsSpan(), content));
            outcomes.Add(new(NameOf(node), node.OpType, "pruned", "", figures.ToImmutable()));
        }
    }

    private static BlockMask BlockMaskOf(Tensor tensor, int axis, int keep, int of)
    {
        long inner = 1;
        for (var i = axis + 1; i < tensor.Rank; i++)
        {
            inner *= tensor.Sizes[i];
        }

        return new BlockMask(keep, of, (int)tensor.Sizes[axis], (int)inner);
    }

    private static long Number(long count, double sparsity) => (long)Math.Round(count * sparsity);

    private static void CheckOpTypes(ImmutableArray<string> opTypes)
    {
        var errors = opTypes.Where(o => !PrunableWeight.OpTypes.Contains(o))
            .Select(o => new Diagnostic(
                "BML5402", $"op_types names '{o}', which this technique does not prune. It knows {string.Join(", ", PrunableWeight.OpTypes)}."))
            .ToArray();
        if (errors.Length > 0)
        {
            throw new DiagnosticException(errors);
        }
    }

    private static string NameOf(Node node) => node.Name.Length > 0 ? node.Name : node.Outputs[0].Name;
}
