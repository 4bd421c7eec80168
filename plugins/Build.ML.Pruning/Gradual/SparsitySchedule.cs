namespace Build.ML.Pruning.Gradual;

/// <summary>
/// The sparsity after each step: from initial to final along 1 − (1 − x)³, fast while much is superfluous and slowly towards the end (Zhu and Gupta 2017, "To prune, or not to prune",
/// arXiv 1710.01878, eq. 1): s_t = s_f + (s_i − s_f)·(1 − (t − t₀)/(t₁ − t₀))³.
/// </summary>
/// <param name="Initial">s_i.</param>
/// <param name="Final">s_f.</param>
/// <param name="Begin">t₀: the first step with the initial sparsity.</param>
/// <param name="End">t₁: the step from which on the sparsity is final.</param>
/// <param name="Every">Steps from one choice of weights to the next.</param>
internal readonly record struct SparsitySchedule(double Initial, double Final, long Begin, long End, long Every)
{
    /// <summary>The sparsity after a step.</summary>
    /// <param name="step">From 1.</param>
    public double At(long step)
    {
        if (step < Begin)
        {
            return 0;
        }

        var left = step >= End ? 0 : 1 - (double)(step - Begin) / (End - Begin);
        return Final + (Initial - Final) * left * left * left;
    }

    /// <summary>Whether weights are chosen anew after a step.</summary>
    /// <param name="step">From 1.</param>
    public bool Chooses(long step) => step == End || (step >= Begin && step < End && (step - Begin) % Every == 0);
}
