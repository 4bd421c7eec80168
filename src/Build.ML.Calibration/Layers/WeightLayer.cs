using System.Collections.Immutable;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Calibration.Layers;

/// <summary>
/// A constant weight seen as a matrix W [<see cref="Rows"/> = output channels, <see cref="Columns"/> = inputs summed over], whatever its orientation in the file: the layer computes
/// y = x·Wᵀ. Rows of an embedding are tokens; those of a Conv its filters, flattened. Nodes that read the same weight in the same orientation are one layer.
/// </summary>
public sealed class WeightLayer
{
    /// <summary>A layer.</summary>
    /// <param name="readers">Nodes and which of their inputs holds the weight; products before look-ups.</param>
    /// <param name="weight">The constant, before any Transpose, Cast or Identity on the way to the nodes.</param>
    /// <param name="isTransposed">Whether the constant is stored as [columns, rows].</param>
    /// <param name="computeType">Type of the numbers that reach the nodes.</param>
    public WeightLayer(ImmutableArray<Use> readers, Value weight, bool isTransposed, DataType computeType)
    {
        (Readers, Weight, IsTransposed, ComputeType) = (readers, weight, isTransposed, computeType);
        Tensor = weight.Constant!;
        (Name, OpType) = (Node.Name.Length > 0 ? Node.Name : Node.Outputs[0].Name, Node.OpType);
        var first = Tensor.Sizes[0];
        var rest = first == 0 ? 0 : Tensor.Count / first;
        (Rows, Columns) = isTransposed ? (checked((int)rest), checked((int)first)) : (checked((int)first), checked((int)rest));
        Groups = OpType == "Conv" ? (int)Node.Int("group", 1) : 1;
    }

    private WeightLayer(WeightLayer layer, Tensor tensor)
    {
        (Readers, Weight, IsTransposed, ComputeType, Tensor) = (layer.Readers, layer.Weight, false, layer.ComputeType, tensor);
        (Name, OpType, Rows, Columns, Groups) = (layer.Name, layer.OpType, layer.Rows, layer.Columns, layer.Groups);
    }

    /// <summary>All nodes that read the weight in this orientation, with the input that holds it.</summary>
    public ImmutableArray<Use> Readers { get; }

    /// <summary>The first of them; a product if there is one.</summary>
    public Node Node => Readers[0].Node;

    /// <summary>Which input of <see cref="Node"/> holds the weight.</summary>
    public int Input => Readers[0].Index;

    /// <summary>The constant.</summary>
    public Value Weight { get; }

    /// <summary>Its tensor when the layer was found: replacing the constant later does not change what the layer reads.</summary>
    public Tensor Tensor { get; }

    /// <summary>Whether the constant is stored as [columns, rows].</summary>
    public bool IsTransposed { get; }

    /// <summary>Type that the nodes compute in: Float or Float16.</summary>
    public DataType ComputeType { get; }

    /// <summary>How reports name the layer.</summary>
    public string Name { get; }

    /// <summary>Operator of <see cref="Node"/>.</summary>
    public string OpType { get; }

    /// <summary>Output channels.</summary>
    public int Rows { get; }

    /// <summary>Inputs summed over; for Conv those of one group times the kernel's elements, in the weight's order.</summary>
    public int Columns { get; }

    /// <summary>Groups of a Conv, else 1: rows r·Rows/Groups and on see input channels of group r only.</summary>
    public int Groups { get; }

    /// <summary>What the weight is multiplied with by <see cref="Node"/>, or null for a look-up.</summary>
    public Value? Activation => OpType == "Gather" ? null : Node.Inputs[0];

    /// <summary>Bytes of the constant.</summary>
    public long ByteLength => Tensor.ByteLength;

    /// <summary>Opens the weight for reading, from any number of threads.</summary>
    public WeightReader Open() => new(this);

    /// <summary>Reads whole rows.</summary>
    /// <param name="firstRow">First row.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="destination">rows · <see cref="Columns"/> numbers, row-major.</param>
    public void Read(int firstRow, int rows, Span<float> destination)
    {
        using var reader = Open();
        reader.Read(firstRow, rows, 0, Columns, destination);
    }

    /// <summary>The layer with other numbers in its matrix, to be read; the model is not changed.</summary>
    /// <param name="matrix">[<see cref="Rows"/>, <see cref="Columns"/>]; not copied.</param>
    public WeightLayer With(float[] matrix) => new(this, Tensor.Of(matrix, Rows, Columns));

    /// <summary>The weight with other numbers in it, of the same type, sizes and orientation, computed when asked for.</summary>
    /// <param name="readRow">Fills a row of the matrix; called from one thread, must give the same numbers each time.</param>
    public Tensor Restore(Action<int, Span<float>> readRow) => new(Tensor.Type, Tensor.Sizes.AsSpan(), new RestoredContent(this, readRow));
}
