namespace Build.ML.Architectures.Layers;

/// <summary>Numbers of channels under a width factor.</summary>
static class Channels
{
    /// <summary>Rounded to a multiple of 8, at least 8, and never down by more than a tenth (the rule of the MobileNets).</summary>
    internal static int Scaled(double channels, double width, int divisor = 8)
    {
        var wanted = channels * width;
        var rounded = Math.Max(divisor, (int)(wanted + (divisor / 2.0)) / divisor * divisor);
        return rounded < 0.9 * wanted ? rounded + divisor : rounded;
    }

    /// <summary>Rounded down, at least 1.</summary>
    internal static int Simple(int channels, double width) => Math.Max(1, (int)(channels * width));
}
