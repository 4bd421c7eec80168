using System.Collections.Immutable;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Shapes;

namespace Build.ML.Graph.Coupling;

/// <summary>
/// What a <see cref="CouplingRule"/> sees of a node: the layouts of its inputs, which it ties and hands on to the outputs. A rule that cannot go on
/// throws (see <see cref="Layouts"/>); then all the node reads is locked.
/// </summary>
public sealed class CouplingContext
{
    private readonly CouplingAnalysis _analysis;
    private readonly DimensionLayout[]?[] _outputs;
    private readonly bool[] _isFollowed;

    internal CouplingContext(CouplingAnalysis analysis, Node node)
    {
        _analysis = analysis;
        Node = node;
        _outputs = new DimensionLayout[node.Outputs.Count][];
        _isFollowed = new bool[node.Inputs.Count];
    }

    /// <summary>The node.</summary>
    public Node Node { get; }

    /// <summary>Version of the operator set of the node's domain.</summary>
    public long Opset => _analysis.Model.OperatorSets[Node.Domain];

    /// <summary>Number of inputs, left-out ones within included.</summary>
    public int InputCount => Node.Inputs.Count;

    internal IReadOnlyList<DimensionLayout[]?> Outputs => _outputs;

    /// <summary>Whether the rule has asked for the layouts of an input; one that it has not is read in a way it does not follow.</summary>
    internal bool IsFollowed(int input) => _isFollowed[input];

    /// <summary>Whether the input is given.</summary>
    public bool HasInput(int index) => Node.Input(index) is { } value && value.Name.Length > 0;

    /// <summary>Whether an input is a constant, or made from one by Transpose, Cast, Reshape or the like alone.</summary>
    public bool IsConstant(int index) => Node.Input(index) is { } value && _analysis.IsConstant(value);

    /// <summary>Layouts of an input's dimensions.</summary>
    /// <exception cref="InvalidOperationException">It is left out or its rank is not known.</exception>
    public IReadOnlyList<DimensionLayout> Layouts(int input)
    {
        if (input < _isFollowed.Length)
        {
            _isFollowed[input] = true;
        }

        return _analysis.LayoutsOf(Node, input)
            ?? throw new InvalidOperationException(HasInput(input) ? $"the shape of '{Node.Input(input)!.Name}' is not known" : $"input {input} is left out");
    }

    /// <summary>Shape of an input, or null.</summary>
    public Shape? ShapeOf(int input) => Node.Input(input) is { } value ? _analysis.ShapeOf(value) : null;

    /// <summary>Inferred shape of an output.</summary>
    /// <exception cref="InvalidOperationException">Its rank is not known.</exception>
    public Shape OutputShape(int output) => _analysis.ShapeOf(Node.Outputs[output])
        ?? throw new InvalidOperationException($"the shape of '{Node.Outputs[output].Name}' is not known");

    /// <summary>What is known of the elements of a small integer input; <c>IsDefault</c> when nothing is.</summary>
    public ImmutableArray<SymbolicInteger> DataOf(int input) => Node.Input(input) is { } value ? _analysis.DataOf(value) : default;

    /// <summary>The elements of a small integer input when all are known, else null.</summary>
    public long[]? ValuesOf(int input)
    {
        var data = DataOf(input);
        return data.IsDefault || data.Any(d => !d.IsKnown) ? null : [.. data.Select(d => d.Value!.Value)];
    }

    /// <summary>Axes given by attribute in early versions and by input in later ones: null when given in neither way.</summary>
    /// <exception cref="InvalidOperationException">They are computed at run time.</exception>
    public IReadOnlyList<long>? Axes(string attribute, int input) =>
        Node.Ints(attribute) is { IsDefault: false } given ? given
        : !HasInput(input) ? null
        : ValuesOf(input) ?? throw new InvalidOperationException($"'{Node.Input(input)!.Name}' is not known");

    /// <summary>Sets the layouts of an output; ignored for one the node does not have.</summary>
    public void Set(int output, params IReadOnlyList<DimensionLayout> layouts)
    {
        if (output < _outputs.Length && Node.Outputs[output].Name.Length > 0)
        {
            _outputs[output] = [.. layouts];
        }
    }

    /// <summary>A new axis.</summary>
    public DimensionLayout Fresh(Dimension size) => _analysis.Unifier.Fresh(size);

    /// <summary>A new axis that nothing can be removed from.</summary>
    public DimensionLayout Locked(Dimension size, string reason)
    {
        var layout = Fresh(size);
        Lock(layout, reason);
        return layout;
    }

    /// <summary>Ties two layouts of one dimension; where they cannot be made equal both are locked.</summary>
    public void Unify(DimensionLayout left, DimensionLayout right) => _analysis.Unify(Node, left, right);

    /// <summary>The parts of a dimension of the given sizes, one after the other.</summary>
    /// <exception cref="InvalidOperationException">It cannot be cut there.</exception>
    public DimensionLayout[] Cut(DimensionLayout layout, params ReadOnlySpan<long> sizes)
    {
        var parts = new DimensionLayout[sizes.Length];
        for (var i = 0; i < sizes.Length; i++)
        {
            var last = i == sizes.Length - 1;
            if (last && layout.Size == sizes[i])
            {
                parts[i] = layout;
            }
            else if (last || !_analysis.Unifier.TryCut(layout, sizes[i], out parts[i]!, out layout!))
            {
                throw new InvalidOperationException("it divides a dimension between coupled positions");
            }
        }

        return parts;
    }

    /// <summary>A row-major product, outermost first.</summary>
    public static DimensionLayout Product(params ReadOnlySpan<DimensionLayout> factors) => DimensionLayout.Product(factors);

    /// <summary>One after the other.</summary>
    /// <exception cref="InvalidOperationException">A size is not known.</exception>
    public static DimensionLayout Sum(params ReadOnlySpan<DimensionLayout> terms)
    {
        foreach (var term in terms)
        {
            if (!term.IsKnown)
            {
                throw new InvalidOperationException("it joins a dimension with one whose size is not known");
            }
        }

        return DimensionLayout.Sum(terms);
    }

    /// <summary>States that nothing can be removed from a dimension.</summary>
    /// <param name="layout">The dimension.</param>
    /// <param name="reason">What the node does with it, as the end of a sentence: <c>chooses by position along it</c>.</param>
    public void Lock(DimensionLayout layout, string reason) => _analysis.Lock(layout, new AxisLock(Node, reason));

    /// <summary>States what a constant input is to the axes along a dimension; ignored for an input that is no constant.</summary>
    public void Role(int input, int dimension, AxisRole role) => _analysis.SetRole(Node, input, dimension, role);

    /// <summary>States something about the axes of a dimension.</summary>
    public void Mark(DimensionLayout layout, AxisMark mark) => _analysis.Mark(layout, mark, Node);

    /// <summary>States that an integer attribute is the size of a dimension, so that it shrinks with it.</summary>
    public void AttributeIs(string attribute, DimensionLayout layout) => _analysis.Add(new SizeEdit(Node, attribute, -1, 0, layout, layout.Size));

    /// <summary>States that an element of an integer list attribute is the number of positions of a dimension, or of its first <paramref name="count"/>.</summary>
    public void AttributeIs(string attribute, int element, DimensionLayout layout, long? count = null) =>
        _analysis.Add(new SizeEdit(Node, attribute, -1, element, layout, count ?? layout.Size));

    /// <summary>
    /// States that an element of an integer input is the number of positions of a dimension, or of its first <paramref name="count"/>. An element that
    /// the graph computes from shapes is left to do so.
    /// </summary>
    public void ElementIs(int input, int element, DimensionLayout layout, long? count = null) =>
        _analysis.Add(new SizeEdit(Node, null, input, element, layout, count ?? layout.Size));

    /// <summary>States that the node, a Split, has these parts: their sizes are written out once they differ from an even division.</summary>
    public void SplitSizesAre(params IReadOnlyList<DimensionLayout> parts) => _analysis.Add(new SplitEdit(Node, [.. parts], Opset));
}
