namespace Build.ML.Pruning;

/// <summary>Among which weights the smallest are looked for.</summary>
public enum PruningScope
{
    /// <summary>Within each layer: all layers become equally sparse.</summary>
    Layer,

    /// <summary>Over all chosen layers together: layers with small weights become sparser (Han et al. 2015 compare both).</summary>
    Global,
}
