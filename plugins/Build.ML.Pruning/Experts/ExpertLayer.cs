using System.Collections.Immutable;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Pruning.Experts;

/// <summary>A constant that has a part for each expert.</summary>
/// <param name="Value">An initializer.</param>
/// <param name="Axis">Its axis of experts.</param>
internal readonly record struct ExpertConstant(Value Value, int Axis)
{
    /// <summary>The constant with some experts only, computed when asked for.</summary>
    /// <param name="kept">Experts that stay, ascending.</param>
    public Tensor Keep(int[] kept)
    {
        var tensor = Value.Initializer!;
        long[] sizes = [.. tensor.Sizes];
        var experts = sizes[Axis];
        sizes[Axis] = kept.Length;
        var run = tensor.ByteLength / experts;
        for (var i = 0; i < Axis; i++)
        {
            run /= sizes[i];
        }

        var length = tensor.ByteLength / experts * kept.Length;
        return new Tensor(tensor.Type, sizes, new ComputedContent(length, () =>
        {
            var bytes = GC.AllocateUninitializedArray<byte>(checked((int)length));
            using var view = tensor.Content.Open();
            for (long to = 0, outer = 0; to < length; outer++)
            {
                foreach (var expert in kept)
                {
                    view.Slice((outer * experts + expert) * run, (int)run).CopyTo(bytes.AsSpan((int)to));
                    to += run;
                }
            }

            return bytes;
        }));
    }
}

/// <summary>
/// A mixture of experts: a router scores experts, the best k of each token work on it. Experts are stacked constants: inputs of com.microsoft's MoE, or read by Gather with the indices of a TopK.
/// </summary>
/// <param name="Node">The MoE or TopK node.</param>
/// <param name="Scores">The router's scores, experts along the last axis.</param>
/// <param name="Experts">Number of experts.</param>
/// <param name="Chosen">k.</param>
/// <param name="Constants">All constants with a part for each expert: the experts' and the router's.</param>
/// <param name="Shapes">Shapes of Reshape on the way of the scores that end with the number of experts.</param>
internal sealed record ExpertLayer(
    Node Node, Value Scores, int Experts, int Chosen, ImmutableArray<ExpertConstant> Constants, ImmutableArray<Node> Shapes)
{
    /// <summary>Takes experts out of every constant.</summary>
    /// <param name="kept">Experts that stay, ascending.</param>
    public void Keep(int[] kept)
    {
        foreach (var constant in Constants)
        {
            var type = constant.Value.Type;
            constant.Value.Graph.SetInitializer(constant.Value, constant.Keep(kept));
            constant.Value.Type = type is null ? null : new Graph.TensorType(constant.Value.Initializer!.Type, Graph.Shape.Of(constant.Value.Initializer.Sizes.AsSpan()));
        }

        foreach (var reshape in Shapes)
        {
            var sizes = reshape.Inputs[1]!.Initializer!.ToArray<long>();
            sizes[^1] = kept.Length;
            reshape.SetInput(1, reshape.Graph.AddInitializer(reshape.Graph.UniqueName(reshape.Inputs[1]!.Name + "_experts"), Tensor.Of(sizes, sizes.Length)));
        }
    }
}
