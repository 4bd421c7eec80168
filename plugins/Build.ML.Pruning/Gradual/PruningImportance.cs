namespace Build.ML.Pruning.Gradual;

/// <summary>What tells which weights go while a model is trained.</summary>
public enum PruningImportance
{
    /// <summary>The weight's magnitude (Zhu and Gupta 2017).</summary>
    Magnitude,

    /// <summary>How training moves it: weights that grow stay, weights that shrink go (Sanh, Wolf and Rush 2020).</summary>
    Movement,
}
