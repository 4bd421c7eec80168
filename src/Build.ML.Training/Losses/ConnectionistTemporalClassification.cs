using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.References;
using Build.ML.Autodiff;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Training;

/// <summary>
/// Connectionist temporal classification (Graves et al. 2006), for texts whose characters' places are not known: −log of the probability, over all ways to place them, that steps yield the text
/// once repetitions are merged and blanks taken out. The forward recursion α_t(s) = y_t(s)·(α_{t−1}(s) + α_{t−1}(s−1) + α_{t−1}(s−2)) over the text with blanks between its characters runs in
/// logarithms, one set of nodes a step; the last term only where characters s and s − 2 differ. The mean over the samples.
/// </summary>
[Loss("ctc")]
[Description("Connectionist temporal classification of texts.")]
public sealed record ConnectionistTemporalClassification : Loss
{
    // The logarithm of 0: far below any sum of logarithms of probabilities, and finite, so that differences are.
    private const float Never = -1e30f;

    /// <summary>For labels that are texts: a UTF-8 file with one character (or piece) a line, in the order of the classes. Default none: labels are tensors of class indices.</summary>
    public FileReference? Charset { get; init; }

    /// <summary>Class of the blank; the characters fill the classes around it in order. Default 0.</summary>
    [Range(0, int.MaxValue)]
    public int Blank { get; init; }

    /// <summary>Whether a space follows the characters of the file as the last class, as in PaddleOCR. Default true.</summary>
    public bool Space { get; init; } = true;

    /// <summary>Most characters of a text, 1 or more; work grows with it. Default 25.</summary>
    [Range(1, 100_000)]
    public int MaxLength { get; init; } = 25;

    /// <summary>Whether texts that do not fit into the model's steps, or into <c>max_length</c>, are left out; else they are errors. Default false.</summary>
    public bool SkipTooLong { get; init; }

    /// <summary>Axis of the steps in the output: 1 for [batch, steps, classes] (default), 0 for [steps, batch, classes].</summary>
    [Range(0, 1)]
    public int TimeAxis { get; init; } = 1;

    /// <inheritdoc/>
    public override Value Build(LossContext context)
    {
        var op = context.Op;
        var scores = context.Logits(Output, "Softmax", "LogSoftmax");
        if (scores.Rank() != 3 || scores.Size(1 - TimeAxis) != context.BatchSize)
        {
            throw LossErrors.Unfit("ctc", scores, TimeAxis == 1 ? "scores [batch, steps, classes]" : "scores [steps, batch, classes]");
        }

        scores = TimeAxis == 1 ? scores : op.Transpose(scores, 1, 0, 2);
        var (batch, steps, classes) = (scores.Size(0), (int)scores.Size(1), scores.Size(2));
        var texts = new TextLabels(this, steps, classes);
        var states = 2L * MaxLength + 1;
        var path = context.Labels("ctc_path", Graph.DataType.Int64, [batch, 1, states], texts.WritePath);
        var skip = context.Labels("ctc_skip", Graph.DataType.Float, [batch, 1, states], (b, buffer) => texts.WriteSkips(b, buffer, Never));
        var end = context.Labels("ctc_end", Graph.DataType.Float, [batch, 1, states], (b, buffer) => texts.WriteEnds(b, buffer, Never));
        var counts = context.Labels("ctc_counts", Graph.DataType.Float, [batch], texts.WriteCounts);

        var logs = op.Node("LogSoftmax", [scores], NodeAttribute.Int("axis", 2));
        var emissions = op.Split(
            op.Node("GatherElements", [logs, op.Expand(path, batch, steps, states)], NodeAttribute.Int("axis", 2)), 1, [.. Enumerable.Repeat(1L, steps)]);
        var start = new float[states];
        Array.Fill(start, Never, 2, start.Length - 2);
        var alpha = op.Add(emissions[0], op.Constant(Tensor.Of(start, 1, 1, states)));
        var before = op.Constant(Tensor.Of([.. Enumerable.Repeat(Never, (int)batch * 2)], batch, 1, 2));
        for (var t = 1; t < steps; t++)
        {
            var shifted = op.Concat(2, before, alpha);
            var one = op.Slice(shifted, [2], [1], [states + 1]);
            var two = op.Add(op.Slice(shifted, [2], [0], [states]), skip);
            alpha = op.Add(op.Reduce("ReduceLogSumExp", op.Concat(1, alpha, one, two), [1], keep: true), emissions[t]);
        }

        var each = op.Neg(op.Reshape(op.Reduce("ReduceLogSumExp", op.Add(alpha, end), [2], keep: false), batch));
        return op.Div(op.Total(op.Mul(each, counts)), op.Max(op.Total(counts), op.Scalar(1)));
    }
}
