using System.Numerics.Tensors;
using Build.ML.Graph;
using Build.ML.Graph.Blocks;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Tensor = Build.ML.Graph.Tensors.Tensor;

namespace Build.ML.WeightSharing.Layers;

/// <summary>The weights of layers that are alike, by their place in the layer.</summary>
internal static class TwinWeights
{
    /// <summary>The weights of a layer in the order of its nodes, each once; of two layers of one structure those at one index do the same.</summary>
    public static List<Value> Of(ResidualBlock block)
    {
        var found = new List<Value>();
        foreach (var node in block.Nodes)
        {
            foreach (var value in node.Inputs)
            {
                if (value is { Initializer: { Type: DataType.Float or DataType.Float16, Rank: >= 1, Count: > 1 }, IsGraphInput: false, IsGraphOutput: false } && !found.Contains(value))
                {
                    found.Add(value);
                }
            }
        }

        return found;
    }

    /// <summary>Whether the layers' weights can be exchanged: as many, of the same sizes, at the same places.</summary>
    public static bool Match(ResidualBlock a, ResidualBlock b)
    {
        if (a.Structure != b.Structure || a.Nodes.Length != b.Nodes.Length)
        {
            return false;
        }

        var (first, second) = (Of(a), Of(b));
        return first.Count == second.Count && first.Zip(second).All(p => p.First.Initializer!.Type == p.Second.Initializer!.Type
            && p.First.Initializer.Sizes.AsSpan().SequenceEqual(p.Second.Initializer!.Sizes.AsSpan()));
    }

    /// <summary>Σ (a − b)² over Σ a² + Σ b²: 0 for the same weights, about 1 for unrelated ones, 2 for opposite ones.</summary>
    public static double Distance(ResidualBlock a, ResidualBlock b)
    {
        double apart = 0, own = 0;
        foreach (var (left, right) in Of(a).Zip(Of(b)))
        {
            var (x, y) = (Read(left.Initializer!), Read(right.Initializer!));
            own += TensorPrimitives.SumOfSquares<float>(x) + TensorPrimitives.SumOfSquares<float>(y);
            TensorPrimitives.Subtract(x, y, x);
            apart += TensorPrimitives.SumOfSquares<float>(x);
        }

        return own == 0 ? 0 : apart / own;
    }

    /// <summary>The mean of tensors of one type and size, computed when it is read.</summary>
    public static Tensor Mean(IReadOnlyList<Tensor> tensors)
    {
        var first = tensors[0];
        return new(first.Type, first.Sizes.AsSpan(), new ComputedContent(first.ByteLength, () =>
        {
            var mean = Read(first);
            for (var i = 1; i < tensors.Count; i++)
            {
                TensorPrimitives.Add(mean, Read(tensors[i]), mean);
            }

            TensorPrimitives.Multiply(mean, 1f / tensors.Count, mean);
            var bytes = new byte[first.ByteLength];
            if (first.Type == DataType.Float)
            {
                System.Runtime.InteropServices.MemoryMarshal.AsBytes<float>(mean).CopyTo(bytes);
            }
            else
            {
                TensorPrimitives.ConvertToHalf(mean, System.Runtime.InteropServices.MemoryMarshal.Cast<byte, Half>(bytes.AsSpan()));
            }

            return bytes;
        }));
    }

    private static float[] Read(Tensor tensor)
    {
        if (tensor.Type == DataType.Float)
        {
            return tensor.ToArray<float>();
        }

        var numbers = new float[tensor.Count];
        TensorPrimitives.ConvertToSingle(tensor.ToArray<Half>(), numbers);
        return numbers;
    }
}
