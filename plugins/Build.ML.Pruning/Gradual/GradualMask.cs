using Build.ML.Training;

namespace Build.ML.Pruning.Gradual;

/// <summary>Keeps more and more weights at 0 while a model is trained.</summary>
/// <param name="weights">The weights to prune.</param>
/// <param name="options">How.</param>
internal sealed class GradualMask(IReadOnlyList<GradualWeight> weights, GradualPruning.Options options) : TrainingHook
{
    private SparsitySchedule _schedule;

    /// <summary>When the sparsity is what.</summary>
    public SparsitySchedule Schedule => _schedule;

    /// <inheritdoc/>
    public override void Begin(TrainingState state)
    {
        _schedule = options.ScheduleOf(state.Steps);
        foreach (var weight in weights)
        {
            weight.Follow(state.Weights(weight.Name).Span<float>());
        }
    }

    /// <inheritdoc/>
    public override void BeforeUpdate(TrainingState state)
    {
        if (options.Importance == PruningImportance.Movement)
        {
            foreach (var weight in weights)
            {
                weight.Accumulate(state.Gradients(weight.Name).Span<float>(), state.GradientScale);
            }
        }
    }

    /// <inheritdoc/>
    public override void AfterUpdate(TrainingState state)
    {
        foreach (var weight in weights)
        {
            weight.Follow(state.Weights(weight.Name).Span<float>());
        }

        if (_schedule.Chooses(state.Step + 1))
        {
            Choose(_schedule.At(state.Step + 1));
        }

        foreach (var weight in weights)
        {
            weight.Apply(state.Weights(weight.Name).Span<float>());
        }
    }

    /// <inheritdoc/>
    public override void Finish(TrainingState state)
    {
        foreach (var weight in weights)
        {
            weight.Cut(state.Weights(weight.Name).Span<float>());
        }
    }

    /// <inheritdoc/>
    public override void Save(BinaryWriter writer)
    {
        foreach (var weight in weights)
        {
            weight.Save(writer);
        }
    }

    /// <inheritdoc/>
    public override void Load(BinaryReader reader)
    {
        foreach (var weight in weights)
        {
            weight.Load(reader);
        }
    }

    /// <summary>Chooses which weights stay.</summary>
    /// <param name="sparsity">Share that goes; with a pattern, what part of its zeros there are.</param>
    public void Choose(double sparsity)
    {
        if (SparsityPattern.Parse(options.Pattern) is var (keep, of))
        {
            // The pattern's own sparsity, 1 − N/M, is reached as the final one would be.
            var zeros = (int)Math.Round((of - keep) * sparsity / options.FinalSparsity);
            foreach (var weight in weights)
            {
                MaskChoice.InGroups(weight, of - zeros, of);
            }
        }
        else if (options.Scope == PruningScope.Global)
        {
            MaskChoice.Least(weights, sparsity);
        }
        else
        {
            foreach (var weight in weights)
            {
                MaskChoice.Least([weight], sparsity);
            }
        }
    }
}
