using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Catalogs;

namespace Build.ML.Quantization.Auto;

/// <summary>One thing that <c>quantize.auto</c> tries. A sealed class with <see cref="QuantizationAttemptAttribute"/> adds one; no list is kept.</summary>
internal abstract class QuantizationAttempt
{
    /// <summary>Whether calibration data is needed. Default true.</summary>
    public virtual bool NeedsData => true;

    /// <summary>Quantizes.</summary>
    /// <param name="model">A copy of the source, to be edited in place.</param>
    /// <param name="data">Calibration data; no name where the attempt needs none.</param>
    /// <param name="context">The step's.</param>
    public abstract StepResult Apply(Model model, DataReference data, StepContext context);
}

/// <summary>Names a <see cref="QuantizationAttempt"/> as recipes do in <c>try:</c>.</summary>
/// <param name="name">snake_case.</param>
/// <param name="effort">Attempts are made in this order: roughly how long one takes, in units of a plain rounding of weights.</param>
internal sealed class QuantizationAttemptAttribute(string name, int effort) : CatalogAttribute(name)
{
    /// <inheritdoc/>
    public override Type EntryType => typeof(QuantizationAttempt);

    /// <summary>Position among the attempts.</summary>
    public int Effort => effort;
}
