namespace Build.ML.Training;

/// <summary>
/// What a technique does beside the optimizer: masks of weights that stay pruned, limits of learned scales, scores of importance. Deterministic: a function of what it is given and of its own
/// state, which checkpoints keep.
/// </summary>
public abstract class TrainingHook
{
    /// <summary>Called once before the first step, also of a run that goes on from a checkpoint, then before <see cref="Load"/>.</summary>
    public virtual void Begin(TrainingState state)
    {
    }

    /// <summary>Called when the gradients of a step are there and the weights are not changed yet.</summary>
    public virtual void BeforeUpdate(TrainingState state)
    {
    }

    /// <summary>Called when the optimizer has changed the weights; may change them in place.</summary>
    public virtual void AfterUpdate(TrainingState state)
    {
    }

    /// <summary>Called on the weights that the result is made of (best ones, averages), also before each validation; may change them in place.</summary>
    public virtual void Finish(TrainingState state)
    {
    }

    /// <summary>Writes what is to survive a killed run.</summary>
    public virtual void Save(BinaryWriter writer)
    {
    }

    /// <summary>Reads what <see cref="Save"/> wrote.</summary>
    public virtual void Load(BinaryReader reader)
    {
    }
}
