using Build.ML.Graph.Catalogs;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Passes.Opsets;
using Build.ML.Graph.Shapes;

namespace Build.ML.Graph.Passes;

/// <summary>
/// Carries a model over to a later version of ONNX's operator set: per-channel DequantizeLinear needs 13, int4 weights need 21. Version by version, each
/// node is converted by the <see cref="OpsetConversionTable"/> of its operator. A model of that version or a later one is left.
/// </summary>
[GraphPass("upgrade-opset")]
public sealed class UpgradeOpset : IGraphPass
{
    // IR version that came with each operator set from 1 on (ONNX's Versioning.md).
    private static readonly byte[] IrVersions = [3, 3, 3, 3, 3, 3, 3, 3, 4, 5, 6, 7, 7, 7, 8, 8, 8, 8, 9, 9, 10, 10, 11, 12, 13];

    private static readonly Lazy<ILookup<(string OpType, long Version), Action<OpsetConversionContext>>> Conversions = new(() =>
        Catalog<OpsetConversionTable>.Scan(typeof(UpgradeOpset).Assembly)
            .SelectMany(e => e.Create().Conversions)
            .ToLookup(c => (c.OpType, c.Version), c => c.Convert));

    /// <summary>Version to reach; default 21.</summary>
    public long Version { get; init; } = 21;

    /// <inheritdoc/>
    /// <exception cref="DiagnosticException">BML2120 for each node that has no equal form in a later version; the model is as before.</exception>
    public int Run(Model model)
    {
        ArgumentNullException.ThrowIfNull(model);
        if (model.Opset == 0 || model.Opset >= Version)
        {
            return 0;
        }

        // A trial on a copy, which shares the tensors, so that a refusal leaves the model whole.
        using (var trial = model.Clone())
        {
            var refusals = Convert(trial);
            if (refusals.Count > 0)
            {
                throw new DiagnosticException(refusals);
            }
        }

        var steps = (int)(Version - model.Opset);
        Convert(model);
        return steps;
    }

    private List<Diagnostic> Convert(Model model)
    {
        var refusals = new List<Diagnostic>();
        var inferred = ShapeInference.Infer(model);
        TensorType? TypeOf(Value value) => inferred.Types.GetValueOrDefault(value) as TensorType;

        Convert(model.Graph, model.OperatorSets, TypeOf, refusals, model.Path);
        foreach (var function in model.Functions.Where(f => f.OperatorSets[""] > 0))
        {
            Convert(function.Body, function.OperatorSets, _ => null, refusals, model.Path);
        }

        model.IrVersion = Math.Max(model.IrVersion, Version <= IrVersions.Length ? IrVersions[Version - 1] : IrVersions[^1]);
        return refusals;
    }

    private void Convert(OnnxGraph graph, OperatorSets sets, Func<Value, TensorType?> typeOf, List<Diagnostic> refusals, string? path)
    {
        for (var version = sets[""] + 1; version <= Version; version++)
        {
            foreach (var node in graph.AllNodes.Where(n => n.Domain.Length == 0).ToArray())
            {
                foreach (var convert in Conversions.Value[(node.OpType, version)])
                {
                    var context = new OpsetConversionContext(node, typeOf);
                    if (node.Attributes.Any(a => a.ReferenceName.Length > 0))
                    {
                        context.Refuse("it takes attributes from the call of a function");
                    }
                    else
                    {
                        convert(context);
                    }

                    if (context.Refusal is { } reason)
                    {
                        refusals.Add(new(
                            "BML2120", $"{node.DisplayName} cannot be carried over to operator set {version} because {reason}; export the model again with operator set {Version}.",
                            path is null ? null : new SourceLocation(path)));
                    }
                }
            }
        }

        sets[""] = Math.Max(sets[""], Version);
    }
}
