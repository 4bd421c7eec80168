using System.Collections.Immutable;
using System.ComponentModel.DataAnnotations;
using System.Numerics.Tensors;
using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.Metrics;
using Build.ML.Graph.Diagnostics;
using DataType = Build.ML.Graph.DataType;
using Tensor = Build.ML.Graph.Tensors.Tensor;

namespace Build.ML.Metrics.Outputs;

/// <summary>Where a language model's token ids and scores are.</summary>
public abstract record NextTokenOptions
{
    /// <summary>Number of the output that holds the logits [batch, steps, vocabulary], from 0. Default 0.</summary>
    [Range(0, int.MaxValue)]
    public int Output { get; init; }

    /// <summary>Name of the input that holds the token ids [batch, steps]; default: the first that is fed.</summary>
    public string Input { get; init; } = "";

    /// <summary>Name of the input that holds the attention mask; steps whose next token it masks do not count. Default none.</summary>
    public string Mask { get; init; } = "";
}

/// <summary>
/// Mean negative log-likelihood of each next token, in nats: −ln softmax(logits[t])[ids[t + 1]], averaged over all tokens but the first of all samples.
/// </summary>
/// <param name="options">Where ids and logits are.</param>
/// <param name="metric">Name of the metric, for messages.</param>
/// <param name="result">Makes the figure of the mean.</param>
internal sealed class NextTokenLoss(NextTokenOptions options, string metric, Func<double, MetricValue> result) : IMetricAccumulator
{
    private double _sum;
    private long _count;

    /// <inheritdoc/>
    public void Add(Batch batch, ImmutableArray<Tensor> outputs, ImmutableArray<Tensor> sourceOutputs)
    {
        var ids = Ids(batch, options.Input);
        var mask = options.Mask.Length == 0 ? null : Ids(batch, options.Mask);
        var logits = OutputScores.Of(outputs, options.Output);
        if (logits.Rows != ids.Length)
        {
            throw new DiagnosticException(
                "BML6102", $"The output has {logits.Rows} rows of logits for {ids.Length} tokens; expected one a token. Choose another with 'output'.");
        }

        var steps = ids.Length / batch.Count;
        for (var i = 0; i + 1 < ids.Length; i++)
        {
            if ((i + 1) % steps == 0 || (mask is not null && mask[i + 1] == 0))
            {
                continue; // the last step of a sample, or one followed by padding, predicts nothing
            }

            var next = ids[i + 1];
            if (next < 0 || next >= logits.Classes)
            {
                throw new DiagnosticException("BML6101", $"Token id {next} is outside the model's vocabulary of {logits.Classes}. Use the model's own tokenizer.");
            }

            var row = logits[i];
            _sum += LogSumExp(row) - row[(int)next];
            _count++;
        }
    }

    /// <inheritdoc/>
    public ImmutableArray<MetricValue> Result() => [result(Labels.Mean(_sum, _count, metric))];

    // ln Σ e^x = m + ln Σ e^(x − m) with m the largest, so that nothing overflows.
    private static double LogSumExp(ReadOnlySpan<float> row)
    {
        var largest = TensorPrimitives.Max(row);
        double sum = 0;
        foreach (var x in row)
        {
            sum += Math.Exp(x - largest);
        }

        return largest + Math.Log(sum);
    }

    private long[] Ids(Batch batch, string name)
    {
        var tensor = batch.Inputs.FirstOrDefault(i => name.Length == 0 || i.Key == name).Value
            ?? throw new DiagnosticException(
                "BML6102", $"Metric '{metric}' looks for input '{name}', the data feeds {string.Join(", ", batch.Inputs.Select(i => $"'{i.Key}'"))}.");
        return tensor.Type switch
        {
            DataType.Int64 => tensor.ToArray<long>(),
            DataType.Int32 => Array.ConvertAll(tensor.ToArray<int>(), i => (long)i),
            _ => throw new DiagnosticException("BML6102", $"Input '{name}' is {tensor}, expected token ids as int64 or int32."),
        };
    }
}
