namespace Build.ML.Pruning;

/// <summary>Weights below a magnitude go, and the first few that have exactly this magnitude.</summary>
/// <param name="bits">Bits of the magnitude.</param>
/// <param name="ties">How many of the weights of that magnitude go.</param>
internal sealed class ThresholdMask(uint bits, long ties) : PruningMask
{
    /// <inheritdoc/>
    public override int Unit => 1;

    /// <inheritdoc/>
    public override PieceCopier Begin()
    {
        var left = ties;
        return (weights, kept) =>
        {
            for (var i = 0; i < weights.Length; i++)
            {
                var magnitude = BitConverter.SingleToUInt32Bits(weights[i]) & 0x7FFF_FFFF;
                kept[i] = magnitude < bits || (magnitude == bits && left-- > 0) ? 0 : weights[i];
            }
        };
    }
}
