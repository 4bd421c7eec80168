using Build.ML.Graph.Diagnostics;

namespace Build.ML.Architectures.Layers;

/// <summary>
/// Lets networks made for large images see small ones: of the layers that halve the size, the first ones do not where the whole network
/// shall shrink the input by less.
/// </summary>
/// <param name="full">Factor by which the network shrinks its input as its paper has it, a power of 2.</param>
/// <param name="wanted">The factor asked for, a power of 2 from 1 to <paramref name="full"/>.</param>
sealed class StridePlan(int full, int wanted)
{
    private int _left = wanted;
    private int _rest = Checked(full, wanted);

    /// <summary>The stride of the next layer: 1, or for one that halves the size 2 or 1.</summary>
    internal int Next(int stride)
    {
        if (stride == 1)
        {
            return 1;
        }

        var taken = _rest <= _left ? 2 : 1; // the later halvings are kept
        (_rest, _left) = (_rest / 2, _left / taken);
        return taken;
    }

    private static int Checked(int full, int wanted) => wanted >= 1 && wanted <= full && int.IsPow2(wanted) ? full
        : throw new DiagnosticException("BML6111", $"'stride' is {wanted}; "
            + $"expected a power of 2 from 1 to {full}, the factor by which this network shrinks its input.");
}
