using System.Numerics.Tensors;
using Build.ML.Calibration.Layers;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.Quantization.Folding;
using Tensor = Build.ML.Graph.Tensors.Tensor;

namespace Build.ML.Quantization.Rotation;

/// <summary>Puts rotations and gammas into constants, computed when they are asked for.</summary>
/// <param name="threads">Cores to use.</param>
internal sealed class RotationEdit(int threads)
{
    /// <summary>A linear layer of which the input is rotated: x·R·(Rᵀ·W).</summary>
    public void Reader(Node node, BlockRotation rotation) => Weight(node, (x, columns, isTransposed) => Apply(rotation, x, columns, isTransposed));

    /// <summary>A linear layer of which the output is rotated: x·(W·R). Its bias is a constant of its own.</summary>
    public void Writer(Node node, BlockRotation rotation) => Weight(node, (x, columns, isTransposed) => Apply(rotation, x, columns, !isTransposed));

    /// <summary>A linear layer that takes a gamma from before it.</summary>
    public void Scale(Node node, float[] gamma) => Weight(node, (x, columns, isTransposed) =>
    {
        for (var row = 0; row < x.Length / columns; row++)
        {
            var part = x.AsSpan(row * columns, columns);
            if (isTransposed)
            {
                TensorPrimitives.Multiply(part, gamma, part);
            }
            else
            {
                TensorPrimitives.Multiply(part, gamma[row], part);
            }
        }
    });

    /// <summary>A constant of which the last dimension is rotated.</summary>
    public void Table(ConstantUse use, BlockRotation rotation) => Constant(use, x => rotation.Columns(x, rotation.Channels, threads));

    /// <summary>The same for all that read it.</summary>
    public void Shared(Value value, BlockRotation rotation) =>
        ConstantEdit.Replace(value, Edited(value.Constant!, x => rotation.Columns(x, rotation.Channels, threads)));

    /// <summary>A constant changed for one node that reads it.</summary>
    public static void Constant(ConstantUse use, Action<float[]> edit) => ConstantEdit.ReplaceFor(use.Node, use.Input, Edited(use.Value.Constant!, edit));

    /// <summary>The numbers of a constant.</summary>
    public static float[] Numbers(Tensor tensor)
    {
        var numbers = GC.AllocateUninitializedArray<float>(checked((int)tensor.Count));
        using var view = tensor.Read<byte>();
        FloatElements.Read(tensor.Type, view.Span, numbers);
        return numbers;
    }

    // Rotating inputs: dimension 0 of [inputs, outputs], dimension 1 of [outputs, inputs].
    private void Apply(BlockRotation rotation, float[] x, int columns, bool alongColumns)
    {
        if (alongColumns)
        {
            rotation.Columns(x, columns, threads);
        }
        else
        {
            rotation.Rows(x, columns, threads);
        }
    }

    /// <summary>Replaces the matrix that a product reads; what is behind a Transpose or Cast becomes a constant of its own, others that read it keep theirs.</summary>
    private static void Weight(Node node, Action<float[], int, bool> edit)
    {
        var source = ConstantSource.Of(node.Inputs[1])!;
        var tensor = source.Tensor;
        long[] sizes = source.IsTransposed ? [tensor.Sizes[1], tensor.Sizes[0]] : [.. tensor.Sizes];
        var isTransposed = node.OpType == "Gemm" && node.Int("transB", 0) != 0;
        var computed = Computed(source.Type, sizes, () =>
        {
            var x = Numbers(tensor);
            if (source.IsTransposed)
            {
                var turned = new float[x.Length];
                Transposition.Turn(x, (int)tensor.Sizes[0], (int)tensor.Sizes[1], (int)tensor.Sizes[1], turned, (int)tensor.Sizes[0]);
                x = turned;
            }

            edit(x, (int)sizes[1], isTransposed);
            return x;
        });
        if (source.Value == node.Inputs[1])
        {
            ConstantEdit.ReplaceFor(node, 1, computed);
            return;
        }

        var old = node.Inputs[1];
        node.SetInput(1, node.Graph.AddInitializer(LayerNames.Of(node) + "_weight", computed));
        ConstantSource.RemoveIfUnused(old);
    }

    private static Tensor Edited(Tensor tensor, Action<float[]> edit) => Computed(tensor.Type, tensor.Sizes.AsSpan(), () =>
    {
        var x = Numbers(tensor);
        edit(x);
        return x;
    });

    private static Tensor Computed(DataType type, ReadOnlySpan<long> sizes, Func<float[]> compute)
    {
        var count = 1L;
        foreach (var size in sizes)
        {
            count *= size;
        }

        var length = count * type.BitWidth() / 8;
        return new Tensor(type, sizes, new ComputedContent(length, () =>
        {
            var bytes = GC.AllocateUninitializedArray<byte>(checked((int)length));
            FloatElements.Write(type, compute(), bytes);
            return bytes;
        }));
    }
}
