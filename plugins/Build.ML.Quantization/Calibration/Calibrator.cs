using Build.ML.Calibration.Statistics;
using Build.ML.Graph.Catalogs;

namespace Build.ML.Quantization.Calibration;

/// <summary>The real numbers that an integer type is spent on.</summary>
/// <param name="Minimum">Least.</param>
/// <param name="Maximum">Greatest.</param>
public readonly record struct ActivationRange(float Minimum, float Maximum);

/// <summary>What a calibrator chooses a range for.</summary>
/// <param name="Type">Integer type.</param>
/// <param name="Symmetric">Whether 0 maps to the middle of the type.</param>
/// <param name="Bits">Bits of the type that are used, 2 to 8.</param>
/// <param name="Percentile">For calibrators that cut off tails: the percentage of values to keep.</param>
public readonly record struct CalibrationTarget(QuantizedType Type, bool Symmetric, int Bits, double Percentile)
{
    /// <summary>Number of integers.</summary>
    public int Levels => Greatest - Least + 1;

    /// <summary>Least integer.</summary>
    public int Least => Type.Minimum(Bits);

    /// <summary>Greatest integer.</summary>
    public int Greatest => Type.Maximum(Bits);
}

/// <summary>
/// Chooses the range of an activation from what was seen of it: a wide one clips nothing and rounds coarsely, a narrow one the other way round. A sealed
/// class with <see cref="CalibratorAttribute"/> adds one.
/// </summary>
public abstract class Calibrator
{
    /// <summary>The range to quantize.</summary>
    /// <param name="seen">At least one value.</param>
    /// <param name="target">What the range is for.</param>
    public abstract ActivationRange Choose(ActivationHistogram seen, CalibrationTarget target);
}

/// <summary>Names a calibrator as recipes do in <c>calibrator:</c>.</summary>
/// <param name="name">snake_case.</param>
public sealed class CalibratorAttribute(string name) : CatalogAttribute(name)
{
    /// <inheritdoc/>
    public override Type EntryType => typeof(Calibrator);
}
