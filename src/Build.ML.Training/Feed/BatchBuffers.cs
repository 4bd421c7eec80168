using System.Collections.Immutable;
using Build.ML.Abstractions.Inference;

namespace Build.ML.Training.Feed;

/// <summary>The memory of one batch at a time, of any shape that occurred.</summary>
internal sealed class BatchBuffers(int batchSize, int shapes) : IDisposable
{
    private readonly ImmutableArray<KeyValuePair<string, TensorBuffer>>[] _inputs = new ImmutableArray<KeyValuePair<string, TensorBuffer>>[shapes];

    /// <summary>Buffers for a shape, the same ones each time.</summary>
    /// <param name="index">Index of the shape.</param>
    /// <param name="shape">The shape.</param>
    public ImmutableArray<KeyValuePair<string, TensorBuffer>> Of(int index, FeedShape shape)
    {
        if (_inputs[index].IsDefault)
        {
            var inputs = ImmutableArray.CreateBuilder<KeyValuePair<string, TensorBuffer>>(shape.Inputs.Length);
            foreach (var input in shape.Inputs)
            {
                inputs.Add(new(input.Name, new TensorBuffer(input.Type, input.IsWhole ? input.Sizes.AsSpan() : [batchSize, .. input.Sizes])));
            }

            _inputs[index] = inputs.MoveToImmutable();
        }

        return _inputs[index];
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var inputs in _inputs)
        {
            foreach (var (_, buffer) in inputs.IsDefault ? [] : inputs)
            {
                buffer.Dispose();
            }
        }
    }
}
