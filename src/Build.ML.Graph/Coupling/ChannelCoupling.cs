using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;

namespace Build.ML.Graph.Coupling;

/// <summary>
/// Which dimensions of a model's values are coupled: every dimension is a <see cref="DimensionLayout"/> of axes, and the operators tie the layouts of
/// their inputs and outputs. What all structured pruning stands on (DepGraph, arXiv 2301.12900, does the same with a graph of layer dependencies).
/// The analysis is of the model at that time: after an edit, analyse again.
/// </summary>
public sealed partial class ChannelCoupling
{
    internal ChannelCoupling(Model model, IReadOnlyList<ChannelAxis> axes) => (Model, Axes) = (model, axes);

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
        return new CouplingAnalysis(model, rules ?? CouplingRuleSet.BuiltIn).Run();
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
        return null;
    }

    /// <summary>
    /// The heads of an attention: the axes over which a product of two activations (MatMul) or a fused attention runs in parallel, key-value heads first.
    /// None when the node is no such product.
    /// </summary>
    public IReadOnlyList<ChannelAxis> HeadsOf(Node attention)
    {
        ArgumentNullException.ThrowIfNull(attention);
        return [];
    }

    /// <summary>
    /// Removes positions of axes from the model: from every constant (lazily: the slices are made when read), from shapes that nodes are given (Reshape,
    /// Expand, Split, Slice, …) and attributes (group, num_heads, …). Types are inferred anew. This object then describes a model that is no more: analyse again.
    /// </summary>
    /// <param name="removed">Positions per axis, of <see cref="Axes"/>.</param>
    /// <exception cref="DiagnosticException">
    /// BML5601 an axis is locked, BML5602 nothing would be left of an axis, BML5603 a position is not of the axis, BML5604 an axis is of another analysis, BML5605 a size that the
    /// graph computes would not fit. All violations at once, and the model unchanged.
    /// </exception>
    public void Remove(IReadOnlyDictionary<ChannelAxis, IReadOnlyList<int>> removed)
    {
        ArgumentNullException.ThrowIfNull(removed);
    }
}
