using Build.ML.Calibration.Layers;
using Build.ML.Calibration.LinearAlgebra;

namespace Build.ML.LowRank.Tucker;

/// <summary>Ranks of a convolution's Tucker-2 form.</summary>
/// <param name="Inputs">Channels that the first part makes of the inputs.</param>
/// <param name="Outputs">Channels that the last part makes the outputs of.</param>
internal readonly record struct TuckerRanks(int Inputs, int Outputs)
{
    /// <summary>Ranks in proportion to the channels that keep a share of the parameters: S·βS + K·βS·βT + βT·T = ratio·S·T·K.</summary>
    public static TuckerRanks OfRatio(int inputs, int outputs, int positions, double ratio)
    {
        double a = (double)positions * inputs * outputs, b = (double)inputs * inputs + (double)outputs * outputs;
        var beta = (Math.Sqrt(b * b + 4 * a * ratio * a) - b) / (2 * a);
        return new(Round(beta * inputs, inputs), Round(beta * outputs, outputs));
    }

    /// <summary>The least ranks that keep a share of the squared singular values of each unfolding.</summary>
    /// <param name="kernel">[outputs, inputs·positions].</param>
    /// <param name="positions">Elements of the kernel for a pair of channels.</param>
    /// <param name="energy">The share.</param>
    /// <param name="threads">Cores to use; results do not depend on it.</param>
    public static TuckerRanks OfEnergy(FloatMatrix kernel, int positions, double energy, int threads)
    {
        using var turned = TuckerDecomposition.Exchange(kernel, (int)kernel.Columns / positions, positions);
        return new(Least(turned, energy, threads), Least(kernel, energy, threads));
    }

    /// <summary>
    /// Ranks of rising size: for each of the outputs the least of the inputs whose unfolding loses no more. The loss is the bound of the higher-order singular value decomposition (De Lathauwer, De Moor
    /// and Vandewalle 2000): the sum of what both unfoldings lose, as a share of the squares.
    /// </summary>
    /// <param name="kernel">[outputs, inputs·positions].</param>
    /// <param name="positions">Elements of the kernel for a pair of channels.</param>
    /// <param name="threads">Cores to use; results do not depend on it.</param>
    public static List<(TuckerRanks Ranks, double Loss)> Ways(FloatMatrix kernel, int positions, int threads)
    {
        using var turned = TuckerDecomposition.Exchange(kernel, (int)kernel.Columns / positions, positions);
        var (mostOutputs, mostInputs) = ((int)Math.Min(kernel.Rows, kernel.Columns), (int)Math.Min(turned.Rows, turned.Columns));
        using var outputs = TruncatedSvd.Of(kernel.View, mostOutputs, threads: threads);
        using var inputs = TruncatedSvd.Of(turned.View, mostInputs, threads: threads);
        var ways = new List<(TuckerRanks, double)>(mostOutputs);
        for (int output = 1, input = 1; output <= mostOutputs; output++)
        {
            while (input < mostInputs && inputs.SquaredError(input) > outputs.SquaredError(output))
            {
                input++;
            }

            var lost = outputs.SquaredNorm > 0 ? (outputs.SquaredError(output) + inputs.SquaredError(input)) / outputs.SquaredNorm : 0;
            ways.Add((new(input, output), Math.Min(lost, 1)));
        }

        return ways;
    }

    /// <summary>Numbers in the three weights.</summary>
    public long Parameters(int inputs, int outputs, int positions) => (long)inputs * Inputs + (long)positions * Inputs * Outputs + (long)Outputs * outputs;

    /// <summary>Multiplications for each position of the output.</summary>
    /// <param name="layer">The convolution.</param>
    /// <param name="inputs">Its input channels.</param>
    /// <param name="positions">Elements of its kernel for a pair of channels.</param>
    public long Multiplications(WeightLayer layer, int inputs, int positions)
    {
        var strides = layer.Node.Ints("strides");
        var read = strides.IsDefault ? 1 : strides.Aggregate(1L, (a, b) => a * b); // positions of the input for each of the output
        return read * inputs * Inputs + (long)positions * Inputs * Outputs + (long)Outputs * layer.Rows;
    }

    private static int Round(double rank, int most) => Math.Clamp((int)rank, 1, most);

    private static int Least(FloatMatrix unfolding, double energy, int threads)
    {
        var most = (int)Math.Min(unfolding.Rows, unfolding.Columns);
        using var svd = TruncatedSvd.Of(unfolding.View, most, threads: threads);
        var rank = 1;
        while (rank < most && svd.SquaredError(rank) > (1 - energy) * svd.SquaredNorm)
        {
            rank++;
        }

        return rank;
    }
}
