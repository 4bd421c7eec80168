using Build.ML.Graph.Ir;

namespace Build.ML.Graph.Coupling;

/// <summary>
/// A dimension of a constant that an axis runs along: what a removal cuts and what importances read. The dimension may hold more than the axis:
/// a query weight's 768 columns are 12 heads of 64, the columns of a fused gate and up projection are one after the other.
/// </summary>
/// <param name="Constant">An initializer, or the output of a Constant node.</param>
/// <param name="Dimension">Which of its dimensions, from 0.</param>
/// <param name="Reader">The node the constant serves: the layer itself, also where a Transpose, Cast or Reshape stands between.</param>
/// <param name="Role">What the constant is to the axis.</param>
public sealed record AxisPlace(Value Constant, int Dimension, Node Reader, AxisRole Role)
{
    internal AxisPlace(Value constant, int dimension, Node reader, AxisRole role, DimensionLayout layout, AxisCell cell)
        : this(constant, dimension, reader, role)
    {
        Layout = layout;
        Cell = cell;
    }

    /// <summary>How the whole dimension is made of axes.</summary>
    public DimensionLayout Layout { get; } = DimensionLayout.Unit;

    private AxisCell? Cell { get; }

    /// <summary>The flat positions along <see cref="Dimension"/> that belong to one position of the axis, ascending.</summary>
    /// <param name="position">From 0 to the axis' size, exclusive.</param>
    public IReadOnlyList<PositionRun> Positions(int position)
    {
        var runs = new List<PositionRun>();
        if (Cell is not null)
        {
            Layout.AddRuns(Cell, position, 0, runs);
        }

        return runs;
    }

    /// <summary>For each flat position along <see cref="Dimension"/> the axis' position it belongs to, or −1 where the dimension holds another axis.</summary>
    public int[] ToAxisPositions()
    {
        var result = new int[Layout.Size];
        Array.Fill(result, -1);
        if (Cell is not null)
        {
            Layout.FillPositions(Cell, result);
        }

        return result;
    }
}
