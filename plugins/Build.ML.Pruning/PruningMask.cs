namespace Build.ML.Pruning;

/// <summary>Decides which weights of one tensor go, piece by piece in order.</summary>
internal abstract class PruningMask
{
    /// <summary>A piece starts and ends at a multiple of this many weights.</summary>
    public abstract int Unit { get; }

    /// <summary>Starts at the tensor's first weight.</summary>
    /// <returns>Copies a piece with the weights that go set to 0; called for one piece after the other.</returns>
    public abstract PieceCopier Begin();
}

/// <summary>Copies a piece of weights, some of them as 0.</summary>
/// <param name="weights">The piece.</param>
/// <param name="kept">As long.</param>
internal delegate void PieceCopier(ReadOnlySpan<float> weights, Span<float> kept);
