using System.Collections.Immutable;
using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Passes;
using Build.ML.Graph.Shapes;

namespace Build.ML.Optimization;

/// <summary>
/// Simplifies the graph without changing what it computes: folds constants and batch norms, fuses scales, removes what does nothing or what nothing uses,
/// shares what is there twice. Run it before quantizing, so that each layer is seen in its final form.
/// </summary>
[Technique("optimize.graph")]
public sealed class GraphOptimization : Technique<GraphOptimization.Options>
{
    /// <summary>What to run.</summary>
    public sealed record Options : IValidatableObject
    {
        /// <summary>Names of the passes to run, in order, such as <c>fold-batch-norm</c>. Default: all that keep the model's interface and operator set.</summary>
        public ImmutableArray<string> Passes { get; init; } = [];

        /// <summary>Rounds at most; the passes are repeated until a round changes nothing. Default 10.</summary>
        [Range(1, 100)]
        public int Iterations { get; init; } = 10;

        /// <summary>Version of ONNX's operator set to carry the model over to first, 7 to 25; a model of that version or a later one is left. Default: as it is.</summary>
        [Range(7, 25)]
        public int? Opset { get; init; }

        /// <summary>Whether to write the inferred types of all values into the model; default false, since they take space.</summary>
        public bool Types { get; init; }

        /// <inheritdoc/>
        public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
        {
            foreach (var name in Passes.Where(n => PassPipeline.Catalog.Find(n) is null))
            {
                yield return new ValidationResult($"There is no pass '{name}'.{NearestName.Of(name, PassPipeline.Catalog.Names)}", [nameof(Passes)]);
            }
        }
    }

    /// <inheritdoc/>
    /// <exception cref="Graph.Diagnostics.DiagnosticException">BML2120 a node has no equal form in the operator set asked for.</exception>
    public override StepResult Apply(Model model, Options options, StepContext context)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(context);
        var (nodes, bytes, from) = (model.AllNodes.Count(), WeightBytes(model), model.Opset);
        var upgraded = options.Opset is { } opset ? new UpgradeOpset { Version = opset }.Run(model) : 0;
        var changes = PassPipeline.Of(options.Passes.Length > 0 ? options.Passes : null).Run(model, options.Iterations, context.Cancellation);
        if (options.Types)
        {
            ShapeInference.Refresh(model);
        }

        var notes = ImmutableArray.CreateBuilder<string>();
        if (upgraded > 0)
        {
            notes.Add($"Operator set {from} became {model.Opset}.");
        }

        notes.Add($"{nodes} nodes became {model.AllNodes.Count()}, {bytes} bytes of weights became {WeightBytes(model)}.");
        notes.Add(Note(changes));
        return new StepResult(model)
        {
            Layers = [.. changes.Select(c => new LayerOutcome(c.Key, "pass", c.Value > 0 ? "changed" : "left", "", [new("changes", c.Value)]))],
            Notes = notes.ToImmutable(),
        };
    }

    /// <summary>What a user may expect of the speed: measured on PP-OCRv4 (hard-swish and learned scales after convolutions), 1.1 to 1.8 times.</summary>
    private static string Note(ImmutableArray<KeyValuePair<string, int>> changes) =>
        changes.Any(c => c is { Value: > 0, Key: "fuse-scale-into-linear" or "fuse-hard-swish" })
            ? "Scales after convolutions and decomposed hard-swish were fused, which ONNX Runtime does not do by itself: runs get faster."
            : "ONNX Runtime does what was done here by itself when it opens a model: it loads faster and quantizes better, and runs as fast as before.";

    // Some exporters keep weights in Constant nodes.
    private static long WeightBytes(Model model) => Bytes(model.Graph) + model.AllNodes.SelectMany(n => n.Subgraphs).Sum(Bytes)
        + model.AllNodes.Where(n => n.Is("Constant")).Sum(n => n.Outputs[0].Constant?.ByteLength ?? 0);

    private static long Bytes(OnnxGraph graph) => graph.Initializers.Sum(i => i.Initializer!.ByteLength);
}
