namespace Build.ML.Pruning.Experts;

/// <summary>What tells how much an expert counts.</summary>
public enum ExpertImportance
{
    /// <summary>How often the router chooses it.</summary>
    Frequency,

    /// <summary>The sum of the weights, softmax of the router's scores, with which it is chosen.</summary>
    RoutingWeight,
}
