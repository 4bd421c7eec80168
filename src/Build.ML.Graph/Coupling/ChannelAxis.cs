using Build.ML.Graph.Ir;

namespace Build.ML.Graph.Coupling;

/// <summary>
/// One class of coupled dimensions: positions that must be removed together everywhere, such as the channels of all convolutions that one residual
/// stream joins.
/// </summary>
public sealed class ChannelAxis
{
    private readonly List<AxisPlace> _places = [];

    internal ChannelAxis(AxisCell cell) => Cell = cell;

    /// <summary>Name for people: the first weight that makes the axis, with the part of it (<c>q_proj.weight:heads</c>). Unique in its model.</summary>
    public string Name { get; internal set; } = "";

    /// <summary>Number of positions, at least 2.</summary>
    public int Size => (int)Cell.Size;

    /// <summary>What its positions are.</summary>
    public AxisKind Kind { get; internal set; }

    /// <summary>Why nothing can be removed; null for an axis that can be cut.</summary>
    public AxisLock? Lock { get; internal set; }

    /// <summary>The constants it runs along, in order of the nodes that read them.</summary>
    public IReadOnlyList<AxisPlace> Places => _places;

    /// <summary>
    /// A node that normalises or averages over the axis, so that even removing positions that are zero changes what the model computes; null where
    /// removing a position that nothing reads (its <see cref="AxisRole.Input"/> slices are zero) is exact.
    /// </summary>
    public Node? NormalizedBy { get; internal set; }

    /// <summary>
    /// A node that sums over the axis without a constant: a product of two activations, a sum. There a removed position changes nothing only when it is
    /// zero itself. Null where all sums over the axis are by weights.
    /// </summary>
    public Node? SummedBy { get; internal set; }

    internal AxisCell Cell { get; }

    /// <summary>Name, size and kind.</summary>
    public override string ToString() => $"{Name} ({Size} {Kind})";

    internal void Add(AxisPlace place) => _places.Add(place);
}
