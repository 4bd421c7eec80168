using System.Text;
using Build.ML.Quantization.Blocks;

namespace Build.ML.Quantization.Gptq;

/// <summary>What GPTQ made of one layer.</summary>
/// <param name="Matrix">Codes, scales, zero points.</param>
/// <param name="WeightError">What they make of the weights.</param>
/// <param name="OutputErrors">What they make of the outputs on the calibration data.</param>
/// <param name="Dampening">λ over the mean diagonal of the Hessian; the greatest where there are several.</param>
/// <param name="DeadColumns">Inputs that were always 0.</param>
/// <param name="Inputs">Inputs that the Hessian was summed over.</param>
internal sealed record LayerSolution(
    BlockQuantizedMatrix Matrix, WeightError WeightError, GptqErrors OutputErrors, double Dampening, int DeadColumns, long Inputs)
{
    /// <summary>Figures for the report.</summary>
    public KeyValuePair<string, double>[] Figures =>
    [
        new("output_error_to_rtn", OutputErrors.Ratio), new("dampening", Dampening), new("dead_inputs", DeadColumns), new("calibration_inputs", Inputs),
    ];

    /// <summary>Writes all of it.</summary>
    public void Write(Stream destination)
    {
        using var writer = new BinaryWriter(destination, Encoding.UTF8, leaveOpen: true);
        foreach (var number in (ReadOnlySpan<double>)[WeightError.Signal, WeightError.Noise, OutputErrors.Error, OutputErrors.NearestError, Dampening, DeadColumns, Inputs])
        {
            writer.Write(number);
        }

        writer.Flush();
        Matrix.Write(destination);
    }

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    public static LayerSolution Read(Stream source)
    {
        using var reader = new BinaryReader(source, Encoding.UTF8, leaveOpen: true);
        var numbers = new double[7];
        for (var i = 0; i < numbers.Length; i++)
        {
            numbers[i] = reader.ReadDouble();
        }

        return new(
            BlockQuantizedMatrix.Read(source), new(numbers[0], numbers[1]), new(numbers[2], numbers[3]), numbers[4], (int)numbers[5], (long)numbers[6]);
    }
}
