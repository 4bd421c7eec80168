using System.ComponentModel;
using Build.ML.Autodiff;
using Build.ML.Graph;
using Build.ML.Graph.Ir;

namespace Build.ML.Training;

/// <summary>
/// Cross-entropy of each token given those before it: scores [batch, tokens, vocabulary] at position t against the token at t + 1. The labels are the model's own input, so the data needs none.
/// </summary>
[Loss("next_token")]
[Description("Cross-entropy of each token given those before it.")]
public sealed record NextToken : Loss
{
    private const long Ignored = -100;

    /// <summary>Name of the input with the tokens, [batch, tokens]. Default: the first input of integers with two dimensions.</summary>
    public string? Tokens { get; init; }

    /// <summary>Token that fills up short texts; it is not to be predicted. Default: none.</summary>
    public long? PadToken { get; init; }

    /// <inheritdoc/>
    public override Value Build(LossContext context)
    {
        var op = context.Op;
        var scores = context.Logits(Output, "Softmax", "LogSoftmax");
        var tokens = Tokens is { } name ? context.Input(name) : context.Inputs.FirstOrDefault(i => i.ElementType.IsInteger() && i.Rank() == 2)
            ?? throw LossErrors.NoValue("tokens", "the inputs of the model");
        if (scores.Rank() != 3 || tokens.Rank() != 2 || scores.Size(0) != tokens.Size(0) || scores.Size(1) != tokens.Size(1))
        {
            throw LossErrors.Unfit("next_token", scores, $"scores [{string.Join(", ", tokens.Sizes())}, vocabulary]");
        }

        // The last position has nothing to predict. Labels are padded rather than scores cut, which are larger by the vocabulary.
        var (batch, length) = (tokens.Size(0), tokens.Size(1));
        var next = op.Slice(op.Cast(tokens, DataType.Int64), [1], [1], [length]);
        if (PadToken is { } pad)
        {
            next = op.Where(op.Compare("Equal", next, op.Scalar(pad, DataType.Int64)), op.Scalar(Ignored, DataType.Int64), next);
        }

        var labels = op.Concat(1, next, op.Expand(op.Reshape(op.Scalar(Ignored, DataType.Int64), 1, 1), batch, 1));
        return CrossEntropy.Of(op, op.Reshape(scores, batch * length, scores.Size(2)), op.Reshape(labels, batch * length), Ignored, 0);
    }
}
