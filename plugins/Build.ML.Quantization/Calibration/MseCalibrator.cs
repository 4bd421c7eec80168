using Build.ML.Calibration.Statistics;

namespace Build.ML.Quantization.Calibration;

/// <summary>
/// The range with the least mean squared error of quantization, clipping and rounding together, over the histogram (each bin standing for its centre): both ends
/// shrunk together first, then each alone, twice.
/// </summary>
[Calibrator("mse")]
internal sealed class MseCalibrator : Calibrator
{
    // Fractions of an end that are tried: k/Steps, from Least/Steps to 1.
    private const int Steps = 100;
    private const int Least = 10;

    /// <inheritdoc/>
    public override ActivationRange Choose(ActivationHistogram seen, CalibrationTarget target)
    {
        var best = (Range: new ActivationRange(seen.Minimum, seen.Maximum), Error: double.PositiveInfinity);
        for (var k = Steps; k >= Least; k--)
        {
            Try(new(seen.Minimum * k / Steps, seen.Maximum * k / Steps));
        }

        for (var round = 0; round < 2; round++)
        {
            for (var k = Steps; k >= Least && seen.Maximum > 0; k--)
            {
                Try(best.Range with { Maximum = seen.Maximum * k / Steps });
            }

            for (var k = Steps; k >= Least && seen.Minimum < 0; k--)
            {
                Try(best.Range with { Minimum = seen.Minimum * k / Steps });
            }
        }

        return best.Range;

        void Try(ActivationRange range)
        {
            var error = Error(seen, range, target, best.Error);
            if (error < best.Error)
            {
                best = (range, error);
            }
        }
    }

    /// <summary>Σ count·(x − x̂)² over the bins; given up, with an error above <paramref name="limit"/>, once it exceeds that.</summary>
    internal static double Error(ActivationHistogram seen, ActivationRange range, CalibrationTarget target, double limit)
    {
        var parameters = QuantizationParameters.Of(range.Minimum, range.Maximum, target.Type, target.Symmetric, target.Bits);
        double least = target.Least, greatest = target.Greatest;
        double scale = parameters.Scale, inverse = 1 / scale, zero = parameters.ZeroPoint;
        var bins = seen.Bins;
        var error = 0d;
        for (var i = 0; i < bins.Length && error <= limit; i++)
        {
            if (bins[i] == 0)
            {
                continue;
            }

            var x = (seen.First + i + 0.5) * seen.Width;
            var q = Math.Clamp(Math.Round(x * inverse) + zero, least, greatest);
            var e = x - (q - zero) * scale;

            // Zeros are in the bin that starts at 0 but are exact.
            error += (bins[i] - (seen.First + i == 0 ? seen.Zeros : 0)) * e * e;
        }

        return error;
    }
}
