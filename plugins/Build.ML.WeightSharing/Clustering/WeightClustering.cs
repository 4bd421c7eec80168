using System.ComponentModel;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;

namespace Build.ML.WeightSharing.Clustering;

/// <summary>
/// Trained quantization by weight sharing (Han, Mao and Dally 2016, "Deep Compression", arXiv 1510.00149, section 3): k-means finds the few values that the weights of a layer share, which can then
/// be trained.
/// </summary>
[Technique("share.cluster")]
[Description("Lets the weights of each layer share few values, found by k-means and optionally trained, stored as codebook and packed indices.")]
public sealed class WeightClustering : Technique<WeightClustering.Options>
{
    /// <summary>Options of <c>share.cluster</c>.</summary>
    public sealed record Options : SharingOptions
    {
        /// <summary>Where k-means begins: <c>linear</c> (default), <c>density</c>, <c>plus_plus</c>, <c>optimal</c>.</summary>
        public KMeansStart Start { get; init; } = KMeansStart.Linear;
    }

    /// <inheritdoc/>
    public override StepResult Apply(Model model, Options options, StepContext context)
    {
        ArgumentNullException.ThrowIfNull(options);
        return new WeightSharer(options, context, random => (weights, summary, count, hasZero, row, threads) =>
            Codebook.OfNearest(KMeans.Centroids(weights, summary, count, options.Start, hasZero, random.Fork(row), threads), hasZero)).Apply(model);
    }
}
