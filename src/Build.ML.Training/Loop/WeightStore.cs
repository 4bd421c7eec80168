using System.Collections.Immutable;
using Build.ML.Abstractions.Inference;
using Build.ML.Autodiff;
using Build.ML.Graph;

namespace Build.ML.Training;

/// <summary>
/// Weights and running statistics in training, in buffers that the sessions of all shapes, of training and of validation share. One copy of what did best is kept beside where there is
/// validation.
/// </summary>
internal sealed class WeightStore : IDisposable
{
    private readonly Dictionary<string, TrainedWeight> _byName = new(StringComparer.Ordinal);
    private readonly List<TensorBuffer> _best = [];

    /// <summary>Takes the weights out of a model.</summary>
    /// <param name="model">The forward model.</param>
    /// <param name="training">What is trained of it.</param>
    /// <param name="options">Optimizer, groups, averages.</param>
    public WeightStore(Model model, TrainingModel training, TrainingOptions options)
    {
        foreach (var parameter in training.Parameters)
        {
            var tensor = model.Graph.Find(parameter.Name)!.Initializer!;
            var sizes = parameter.Sizes.AsSpan();
            var group = options.Groups.FirstOrDefault(g => g.Contains(parameter.Name));
            var weight = new TrainedWeight(parameter.Name, TensorBuffer.Of(tensor), new TensorBuffer(DataType.Float, sizes))
            {
                States = [.. NewBuffers(options.Optimizer.StateCount, sizes)],
                Sum = options.Accumulate > 1 ? new TensorBuffer(DataType.Float, sizes) : null,
                Average = options.Average is null ? null : TensorBuffer.Of(tensor),
                RateMultiplier = group?.LearningRate ?? 1,
                WeightDecay = group?.WeightDecay ?? (parameter.Sizes.Length < 2 && !options.DecayVectors ? 0 : options.Optimizer.WeightDecay),
            };
            _byName.Add(parameter.Name, weight);
        }

        Weights = [.. training.Parameters.Select(p => _byName[p.Name])];
        Names = [.. Weights.Select(w => w.Name)];
        Statistics =
        [
            .. training.States.Select(s => (State: s, model.Graph.Find(s.Name)!.Initializer)).Select(s => new TrackedStatistic(
                s.State.Name, s.State.Momentum, TensorBuffer.Of(s.Initializer!), options.Average is null ? null : TensorBuffer.Of(s.Initializer!))),
        ];
        if (options.Validation is not null)
        {
            _best.AddRange(Results.Select(r => TensorBuffer.Of(r.Buffer.ToTensor())));
        }
    }

    /// <summary>Trained weights in the order of the model's initializers.</summary>
    public ImmutableArray<TrainedWeight> Weights { get; }

    /// <summary>Running statistics.</summary>
    public ImmutableArray<TrackedStatistic> Statistics { get; }

    /// <summary>Names of <see cref="Weights"/>.</summary>
    public ImmutableArray<string> Names { get; }

    /// <summary>Whether hooks are working on <see cref="Results"/>.</summary>
    public bool IsFinishing { get; set; }

    /// <summary>All that a checkpoint keeps, in a fixed order.</summary>
    public IEnumerable<TensorBuffer> Lasting => Weights.SelectMany(w => w.Lasting).Concat(Statistics.SelectMany(s => s.Lasting)).Concat(_best);

    /// <summary>What the result is made of: averages where they are kept.</summary>
    public IEnumerable<(string Name, TensorBuffer Buffer)> Results => Weights.Select(w => (w.Name, w.Result)).Concat(Statistics.Select(s => (s.Name, s.Result)));

    /// <summary>A trained weight, or null.</summary>
    public TrainedWeight? Find(string name) => _byName.GetValueOrDefault(name);

    /// <summary>Keeps the present results as the best.</summary>
    public void KeepBest() => CopyResults(toBest: true);

    /// <summary>Makes the best results the present ones.</summary>
    public void RestoreBest() => CopyResults(toBest: false);

    /// <summary>Puts the results into a model's initializers, copied.</summary>
    public void WriteTo(Model model)
    {
        foreach (var (name, buffer) in Results)
        {
            var value = model.Graph.Find(name)!;
            model.Graph.SetInitializer(value, buffer.ToTensor());
        }
    }

    /// <summary>The first weight or statistic that has an element which is not finite, or null.</summary>
    public string? FirstNotFinite()
    {
        foreach (var (name, buffer) in Results)
        {
            foreach (var number in buffer.Span<float>())
            {
                if (!float.IsFinite(number))
                {
                    return name;
                }
            }
        }

        return null;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var weight in Weights)
        {
            weight.Dispose();
        }

        foreach (var statistic in Statistics)
        {
            statistic.Dispose();
        }

        foreach (var buffer in _best)
        {
            buffer.Dispose();
        }
    }

    private static IEnumerable<TensorBuffer> NewBuffers(int count, ReadOnlySpan<long> sizes)
    {
        var buffers = new TensorBuffer[count];
        for (var i = 0; i < count; i++)
        {
            buffers[i] = new TensorBuffer(DataType.Float, sizes);
        }

        return buffers;
    }

    private void CopyResults(bool toBest)
    {
        foreach (var ((_, result), best) in Results.Zip(_best))
        {
            var (from, to) = toBest ? (result, best) : (best, result);
            to.CopyFrom(from);
        }
    }
}
