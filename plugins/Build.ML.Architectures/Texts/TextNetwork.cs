using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.Architectures;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Architectures.Texts;

/// <summary>A network of tokens (<c>input_ids</c>, int64[batch, length]).</summary>
public abstract record TextNetwork : Architecture
{
    /// <summary>Tokens of a sample: shorter texts are padded, longer ones cut. Default 128.</summary>
    [Range(1, 1 << 20)]
    public int Length { get; init; } = 128;

    /// <summary>Probability with which training zeroes elements, 0 to 1. Default 0: there are no such layers.</summary>
    [Range(0d, 0.99)]
    public double Dropout { get; init; }

    /// <summary>Refuses heads that do not divide a width.</summary>
    /// <exception cref="DiagnosticException">BML6112.</exception>
    internal static void CheckHeads(int width, int heads, string key)
    {
        if (width % heads != 0)
        {
            throw new DiagnosticException("BML6112", $"'{key}' is {heads}, which does not divide {width}; expected a divisor of it.");
        }
    }

    /// <summary>Refuses more tokens than there are positions.</summary>
    /// <exception cref="DiagnosticException">BML6113.</exception>
    internal void CheckPositions(int positions)
    {
        if (Length > positions)
        {
            throw new DiagnosticException("BML6113", $"'length' is {Length}, more than the {positions} of 'positions'; "
                + "give as many positions, or fewer tokens.");
        }
    }
}
