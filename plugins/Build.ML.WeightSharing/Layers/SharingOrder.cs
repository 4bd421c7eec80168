namespace Build.ML.WeightSharing.Layers;

/// <summary>Which layers share weights; the first two and their reverse are those of Takase and Kiyono 2021, "Lessons on Parameter Sharing across Layers in Transformers", arXiv 2104.06022.</summary>
public enum SharingOrder
{
    /// <summary>Neighbours: 0 0 1 1 2 2.</summary>
    Sequence,

    /// <summary>All layers again and again: 0 1 2 0 1 2.</summary>
    Cycle,

    /// <summary>As <see cref="Cycle"/>, backwards the last time: 0 1 2 2 1 0.</summary>
    CycleReverse,

    /// <summary>Those whose weights are nearest to each other, wherever they are.</summary>
    Similar,
}

/// <summary>What layers that share weights begin with.</summary>
public enum SharedStart
{
    /// <summary>The mean of their weights.</summary>
    Average,

    /// <summary>The weights of the first of them.</summary>
    First,
}
