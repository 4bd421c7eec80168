namespace Build.ML.WeightSharing.Clustering;

/// <summary>Where the centroids of k-means begin.</summary>
public enum KMeansStart
{
    /// <summary>Evenly from the least to the greatest weight: large weights, of which there are few and which matter most, keep centroids near them (Han et al. 2016, section 3.2).</summary>
    Linear,

    /// <summary>Evenly in the distribution: as many weights between each two centroids (Han et al. 2016, section 3.2).</summary>
    Density,

    /// <summary>At random weights, each with a probability that grows with its squared distance from the centroids chosen before (k-means++, Arthur and Vassilvitskii 2007).</summary>
    PlusPlus,

    /// <summary>
    /// Where the squared error of all is the least there is, by dynamic programming (Wang and Song 2011, "Ckmeans.1d.dp"); exact up to 8,192 distinct weights, of more on stretches of equal number.
    /// </summary>
    Optimal,
}
