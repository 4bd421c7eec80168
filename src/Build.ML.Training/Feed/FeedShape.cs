using System.Collections.Immutable;
using Build.ML.Abstractions.Data;
using Build.ML.Graph;

namespace Build.ML.Training.Feed;

/// <summary>One input of a sample.</summary>
/// <param name="Name">Model input; empty for the first.</param>
/// <param name="Type">Element type.</param>
/// <param name="Sizes">Sizes without the batch dimension.</param>
/// <param name="IsWhole">Whether it is fed without a batch dimension in front.</param>
public readonly record struct FeedInput(string Name, DataType Type, ImmutableArray<long> Sizes, bool IsWhole)
{
    /// <summary>For example <c>image float[3,32,32]</c>.</summary>
    public override string ToString() => $"{(Name.Length > 0 ? Name + " " : "")}{Type.OnnxName()}[{string.Join(',', Sizes)}]";
}

/// <summary>What all samples of a batch have in common.</summary>
/// <param name="Inputs">In the order of the data.</param>
public sealed record FeedShape(ImmutableArray<FeedInput> Inputs)
{
    /// <summary>The shape of a sample as it is.</summary>
    internal static FeedShape Of(Sample sample)
    {
        var inputs = ImmutableArray.CreateBuilder<FeedInput>(sample.Inputs.Length);
        foreach (var (name, tensor) in sample.Inputs)
        {
            inputs.Add(new(name, tensor.Type, tensor.Sizes, sample.Whole.Contains(name)));
        }

        return new(inputs.MoveToImmutable());
    }

    /// <summary>
    /// Whether the sample has these inputs of these types and ranks, with sizes at most these; <paramref name="isSame"/>: exactly these.
    /// </summary>
    internal bool Holds(Sample sample, out bool isSame)
    {
        isSame = true;
        if (sample.Inputs.Length != Inputs.Length)
        {
            return isSame = false;
        }

        for (var i = 0; i < Inputs.Length; i++)
        {
            var ((name, tensor), input) = (sample.Inputs[i], Inputs[i]);
            if (name != input.Name || tensor.Type != input.Type || tensor.Rank != input.Sizes.Length)
            {
                return isSame = false;
            }

            for (var d = 0; d < input.Sizes.Length; d++)
            {
                isSame &= tensor.Sizes[d] == input.Sizes[d];
                if (tensor.Sizes[d] > input.Sizes[d])
                {
                    return isSame = false;
                }
            }
        }

        return true;
    }

    /// <summary>For example <c>ids int64[128], mask int64[128]</c>.</summary>
    public override string ToString() => string.Join(", ", Inputs);
}
