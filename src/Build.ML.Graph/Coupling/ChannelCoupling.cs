using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Shapes;

namespace Build.ML.Graph.Coupling;

/// <summary>
/// Which dimensions of a model's values are coupled: every dimension is a <see cref="DimensionLayout"/> of axes, and the operators tie the layouts of
/// their inputs and outputs. What all structured pruning stands on (DepGraph, arXiv 2301.12900, does the same with a graph of layer dependencies).
/// The analysis is of the model at that time: after an edit, analyse again.
/// </summary>
public sealed class ChannelCoupling
{
    private readonly IReadOnlyDictionary<Value, DimensionLayout[]> _layouts;
    private readonly Dictionary<Value, DimensionLayout[]> _constants = [];
    private readonly GraphEdits _edits;
    private readonly IReadOnlyList<(DimensionLayout Layout, AxisMark Mark, Node Node)> _marks;

    internal ChannelCoupling(
        Model model, IReadOnlyDictionary<Value, DimensionLayout[]> layouts, GraphEdits edits, IReadOnlyList<ChannelAxis> axes, IReadOnlyList<(DimensionLayout Layout, AxisMark Mark, Node Node)> marks)
    {
        Model = model;
        Axes = axes;
        _layouts = layouts;
        _edits = edits;
        _marks = marks;
        foreach (var use in edits.Constants)
        {
            _constants.TryAdd(use.Constant, use.Layouts); // the first reader's
        }
    }

    /// <summary>The model that was analysed.</summary>
    public Model Model { get; }

    /// <summary>The axes that some constant runs along, locked ones too, in the order the graph meets them.</summary>
    public IReadOnlyList<ChannelAxis> Axes { get; }

    /// <summary>Analyses a model, which is not changed.</summary>
    /// <param name="model">Read only.</param>
    /// <param name="rules">Default: <see cref="CouplingRuleSet.BuiltIn"/>. An operator without a rule locks what it reads.</param>
    public static ChannelCoupling Analyze(Model model, CouplingRuleSet? rules = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        var coupling = new CouplingAnalysis(model, rules ?? CouplingRuleSet.BuiltIn).Run();
        coupling.LockWhatComputedSizesStop();
        return coupling;
    }

    /// <summary>The axis that a value's dimension is, or null when it is several, a part of one, or not followed.</summary>
    /// <param name="value">A value of the main graph.</param>
    /// <param name="dimension">Negative counts from the end.</param>
    public ChannelAxis? AxisOf(Value value, int dimension) => LayoutOf(value, dimension)?.Axis;

    /// <summary>The layout of a value's dimension, or null where the value's rank is not known. A constant has that of its first reader.</summary>
    /// <param name="value">A value of the main graph.</param>
    /// <param name="dimension">Negative counts from the end.</param>
    public DimensionLayout? LayoutOf(Value value, int dimension)
    {
        ArgumentNullException.ThrowIfNull(value);
        var layouts = _layouts.GetValueOrDefault(value) ?? _constants.GetValueOrDefault(value);
        return layouts?[dimension < 0 ? dimension + layouts.Length : dimension];
    }

    /// <summary>
    /// The heads of an attention: the axes over which a product of two activations (MatMul) or a fused attention runs in parallel, key-value heads first.
    /// None when the node is no such product.
    /// </summary>
    public IReadOnlyList<ChannelAxis> HeadsOf(Node attention)
    {
        ArgumentNullException.ThrowIfNull(attention);
        return [.. _marks.Where(m => m.Node == attention && m.Mark is AxisMark.Heads or AxisMark.QueryHeads).SelectMany(m => m.Layout.Axes).Distinct()];
    }

    /// <summary>
    /// Removes positions of axes from the model: from every constant (lazily: the slices are made when read), from shapes that nodes are given (Reshape,
    /// Expand, Split, Slice, …) and attributes (group, num_heads, …). Types are inferred anew. This object then describes a model that is no more: analyse
    /// again.
    /// </summary>
    /// <param name="removed">Positions per axis, of <see cref="Axes"/>; repeated ones count once.</param>
    /// <exception cref="DiagnosticException">
    /// BML5601 an axis is locked, BML5602 nothing would be left of an axis, BML5603 a position is not of the axis, BML5604 an axis is of another analysis,
    /// BML5605 a size that the graph computes would not fit. All violations at once, and the model unchanged.
    /// </exception>
    public void Remove(IReadOnlyDictionary<ChannelAxis, IReadOnlyList<int>> removed)
    {
        ArgumentNullException.ThrowIfNull(removed);
        var violations = new List<Diagnostic>();
        var kept = new Dictionary<AxisCell, bool[]>();
        foreach (var (axis, positions) in removed)
        {
            Check(axis, positions, kept, violations);
        }

        if (violations.Count == 0)
        {
            violations.AddRange(Try(kept).Select(v => v.Diagnostic));
        }

        if (violations.Count > 0)
        {
            throw new DiagnosticException(violations);
        }

        new Removal(kept).Apply(_edits, node => node);
        ShapeInference.Refresh(Model);
    }

    private void Check(ChannelAxis axis, IReadOnlyList<int> positions, Dictionary<AxisCell, bool[]> kept, List<Diagnostic> violations)
    {
        var location = Model.Path is { } path ? new SourceLocation(path) : null;
        if (!Axes.Contains(axis))
        {
            violations.Add(new("BML5604", $"Axis '{axis.Name}' is of another analysis; analyse the model as it is now and take the axis from there.", location));
            return;
        }

        var mask = new bool[axis.Size];
        Array.Fill(mask, true);
        foreach (var position in positions)
        {
            if (position < 0 || position >= mask.Length)
            {
                violations.Add(new("BML5603", $"Axis '{axis.Name}' has positions 0 to {mask.Length - 1}, {position} was to be removed.", location));
                return;
            }

            mask[position] = false;
        }

        if (!mask.Contains(false))
        {
            return;
        }

        if (axis.Lock is { } @lock)
        {
            violations.Add(new(
                "BML5601", $"Nothing can be removed from axis '{axis.Name}' of size {axis.Size}: {@lock}. `buildml inspect --coupling` shows what is removable.", location));
        }
        else if (!mask.Contains(true))
        {
            violations.Add(new("BML5602", $"All {mask.Length} positions of axis '{axis.Name}' were to be removed; keep at least one.", location));
        }
        else
        {
            kept.Add(axis.Cell, mask);
        }
    }

    /// <summary>
    /// Edits a copy and compares the sizes that its operators then yield with those that must be left: sizes that a graph computes with (768 / 12) may not
    /// follow. Also the guard against a wrong rule.
    /// </summary>
    private List<(Node? Node, Diagnostic Diagnostic)> Try(IReadOnlyDictionary<AxisCell, bool[]> kept)
    {
        var copy = Model.Clone();
        var nodes = new Dictionary<Node, Node>();
        foreach (var (node, twin) in Model.Graph.Nodes.Zip(copy.Graph.Nodes))
        {
            nodes.Add(node, twin);
        }

        var removal = new Removal(kept);
        removal.Apply(_edits, n => nodes[n]);
        var location = Model.Path is { } path ? new SourceLocation(path) : null;
        var violations = new List<(Node?, Diagnostic)>();
        var inferred = ShapeInference.Infer(copy, useDeclared: false);
        foreach (var (node, twin) in nodes)
        {
            for (var i = 0; i < node.Outputs.Count && violations.Count < 20; i++)
            {
                if (_layouts.TryGetValue(node.Outputs[i], out var layouts) && (inferred.Types.GetValueOrDefault(twin.Outputs[i]) as TensorType)?.Shape is { } shape
                    && (shape.Rank != layouts.Length || layouts.Where((l, k) => l.IsKnown && shape[k].Size is { } size && size != Left(l)).Any()))
                {
                    violations.Add((node, new(
                        "BML5605", $"{node.DisplayName} would give '{node.Outputs[i].Name}' the shape {shape} where [{string.Join(',', layouts.Select(Left))}] is needed: "
                        + "the graph computes a size in a way that does not follow the removal. Fold the model's constants first, or leave this axis.", location)));
                }
            }
        }

        if (violations.Count == 0 && inferred.Diagnostics.Count > 0 && ShapeInference.Infer(Model, useDeclared: false).Diagnostics.Count == 0)
        {
            violations.AddRange(inferred.Diagnostics.Select(d => (
                nodes.Keys.FirstOrDefault(n => d.Message.StartsWith(n.DisplayName, StringComparison.Ordinal)), new Diagnostic("BML5605", $"After the removal: {d.Message}", location))));
        }

        return violations;

        long Left(DimensionLayout layout) => removal.Kept(layout)?.Length ?? layout.Size;
    }

    /// <summary>Tries to halve every axis; an axis that a computed size stops is locked, so that only what can be done is offered.</summary>
    private void LockWhatComputedSizesStop()
    {
        var free = Axes.Where(a => a.Lock is null).ToList();
        if (free.Count == 0 || Try(free.ToDictionary(a => a.Cell, Half)).Count == 0)
        {
            return;
        }

        foreach (var axis in free)
        {
            if (Try(new Dictionary<AxisCell, bool[]> { [axis.Cell] = Half(axis) }) is [var first, ..])
            {
                axis.Lock = new AxisLock(first.Node, "its shape is computed in a way that does not follow a removal; folding the model's constants may help");
            }
        }
    }

    private static bool[] Half(ChannelAxis axis) => [.. Enumerable.Range(0, axis.Size).Select(i => i < (axis.Size + 1) / 2)];
}
