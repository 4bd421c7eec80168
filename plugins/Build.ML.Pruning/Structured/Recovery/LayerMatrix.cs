using Build.ML.Calibration;
using Build.ML.Calibration.LinearAlgebra;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Pruning.Structured.Recovery;

/// <summary>The weight of a Conv, Gemm or MatMul as a matrix of one row an output, its bias, if there is one, as the last column.</summary>
internal sealed class LayerMatrix
{
    private readonly Value? _bias;
    private readonly bool _inputsFirst;

    private LayerMatrix(Node node, Value weight, Value? bias, bool inputsFirst)
    {
        (Node, Weight, _bias, _inputsFirst) = (node, weight, bias, inputsFirst);
        var sizes = weight.Initializer!.Sizes;
        Outputs = (int)sizes[OutputDimension];
        Inputs = (int)(weight.Initializer.Count / Outputs);
    }

    /// <summary>The node.</summary>
    public Node Node { get; }

    /// <summary>The weight.</summary>
    public Value Weight { get; }

    /// <summary>What the layer reads.</summary>
    public Value Input => Node.Inputs[0]!;

    /// <summary>The weight's dimension of outputs.</summary>
    public int OutputDimension => _inputsFirst ? 1 : 0;

    /// <summary>Rows of the matrix.</summary>
    public int Outputs { get; }

    /// <summary>Columns without the bias: input channels times the kernel's size.</summary>
    public int Inputs { get; }

    /// <summary>Whether the last column is a bias.</summary>
    public bool HasBias => _bias is not null;

    /// <summary>Columns with the bias.</summary>
    public int Columns => Inputs + (HasBias ? 1 : 0);

    /// <summary>The layer of a node, or null where it is none, or shares its weight with others.</summary>
    public static LayerMatrix? Of(Node node)
    {
        if (node.Domain.Length > 0 || node.Input(1) is not { Initializer: { Type: DataType.Float } tensor, IsGraphInput: false, Uses.Count: 1 } weight || node.Inputs[0]!.Constant is not null)
        {
            return null;
        }

        return node.OpType switch
        {
            "Conv" when Im2Col.Supports(node) && node.Int("group", 1) == 1 => Biased(node, weight, node.Input(2), false),
            "Gemm" when tensor.Rank == 2 && node.Int("transA", 0) == 0 && node.Float("alpha", 1) == 1 && node.Float("beta", 1) == 1 =>
                Biased(node, weight, node.Input(2), node.Int("transB", 0) == 0),
            "MatMul" when tensor.Rank == 2 => new(node, weight, BiasBehind(node, tensor.Sizes[1]), true),
            _ => null,
        };
    }

    /// <summary>The matrix of some of the outputs, in a new matrix.</summary>
    public FloatMatrix Read(int[] outputs)
    {
        var matrix = new FloatMatrix(outputs.Length, Columns);
        using var weight = Weight.Initializer!.Read<float>();
        var bias = _bias?.Initializer!.ToArray<float>() ?? [];
        for (var row = 0; row < outputs.Length; row++)
        {
            var to = matrix.Row(row);
            if (!_inputsFirst)
            {
                weight.Span.Slice(outputs[row] * Inputs, Inputs).CopyTo(to);
            }

            for (var column = 0; column < Inputs && _inputsFirst; column++)
            {
                to[column] = weight.Span[column * Outputs + outputs[row]];
            }

            if (HasBias)
            {
                to[Inputs] = bias[outputs[row]];
            }
        }

        return matrix;
    }

    /// <summary>Puts a matrix of all outputs into the model.</summary>
    public void Write(FloatMatrix matrix)
    {
        var (weight, bias) = (new float[Outputs * Inputs], new float[Outputs]);
        for (var row = 0; row < Outputs; row++)
        {
            var from = matrix.Row(row);
            if (!_inputsFirst)
            {
                from[..Inputs].CopyTo(weight.AsSpan(row * Inputs));
            }

            for (var column = 0; column < Inputs && _inputsFirst; column++)
            {
                weight[column * Outputs + row] = from[column];
            }

            bias[row] = from[^1];
        }

        Node.Graph.SetInitializer(Weight, Tensor.Of(weight, Weight.Initializer!.Sizes.AsSpan()));
        if (_bias is not null)
        {
            Node.Graph.SetInitializer(_bias, Tensor.Of(bias, _bias.Initializer!.Sizes.AsSpan()));
        }
    }

    // A bias of one number for all outputs, or one that others read too, cannot follow.
    private static LayerMatrix? Biased(Node node, Value weight, Value? bias, bool inputsFirst)
    {
        var outputs = weight.Initializer!.Sizes[inputsFirst ? 1 : 0];
        return bias is null ? new(node, weight, null, inputsFirst) : IsBias(bias, outputs) ? new(node, weight, bias, inputsFirst) : null;
    }

    private static Value? BiasBehind(Node node, long outputs)
    {
        var output = node.Outputs[0];
        if (output.IsGraphOutput || output.Uses is not [{ Node: { OpType: "Add", Domain: "" } add }])
        {
            return null;
        }

        var other = add.Inputs[0] == output ? add.Inputs[1] : add.Inputs[0];
        return other is not null && IsBias(other, outputs) ? other : null;
    }

    private static bool IsBias(Value value, long outputs) =>
        value is { Initializer: { Type: DataType.Float, Rank: >= 1 } tensor, IsGraphInput: false, Uses.Count: 1 } && tensor.Count == outputs && tensor.Sizes[^1] == outputs;
}
