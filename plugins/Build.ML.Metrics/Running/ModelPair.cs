using Build.ML.Abstractions.Inference;
using Build.ML.Abstractions.Metrics;

namespace Build.ML.Metrics.Running;

/// <summary>The model under evaluation and the source model, ready to run in turns, so that what disturbs the machine disturbs both alike.</summary>
internal sealed class ModelPair : IDisposable
{
    private readonly IInferenceSession _model;
    private readonly IInferenceSession? _source;

    /// <summary>Opens both; the source only once where it is the model itself.</summary>
    public ModelPair(MetricContext context)
    {
        var options = new InferenceOptions { Threads = context.Threads };
        _model = context.Inference.Open(context.Model, options);
        try
        {
            _source = ReferenceEquals(context.Model, context.Source) || context.ModelFile == context.SourceFile
                ? null : context.Inference.Open(context.Source, options);
        }
        catch
        {
            _model.Dispose();
            throw;
        }
    }

    /// <summary>Whether the model is the source itself.</summary>
    public bool IsSource => _source is null;

    /// <summary>Measures round after round, both models in each; which is first alternates.</summary>
    /// <param name="rounds">Number of rounds.</param>
    /// <param name="measure">Measures one session in one round, counted from 0.</param>
    /// <param name="cancellation">Stops between rounds.</param>
    /// <returns>What was measured of the model and of the source; the same list where they are the same.</returns>
    public (List<T> Model, List<T> Source) InTurns<T>(int rounds, Func<IInferenceSession, int, T> measure, CancellationToken cancellation)
    {
        var model = new List<T>(rounds);
        var source = IsSource ? model : new List<T>(rounds);
        for (var round = 0; round < rounds; round++)
        {
            cancellation.ThrowIfCancellationRequested();
            if (_source is not null && round % 2 == 1)
            {
                source.Add(measure(_source, round));
            }

            model.Add(measure(_model, round));
            if (_source is not null && round % 2 == 0)
            {
                source.Add(measure(_source, round));
            }
        }

        return (model, source);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _model.Dispose();
        _source?.Dispose();
    }
}
