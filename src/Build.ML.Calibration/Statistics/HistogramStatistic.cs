using System.Text;
using Build.ML.Graph.Tensors;

namespace Build.ML.Calibration.Statistics;

/// <summary>How often values of each size occur: what ranges are chosen from.</summary>
public sealed class HistogramStatistic : ActivationStatistic<ActivationHistogram>
{
    /// <inheritdoc/>
    public override string Name => $"histogram of {ActivationHistogram.Capacity} bins";

    /// <inheritdoc/>
    public override ActivationHistogram Create() => new();

    /// <inheritdoc/>
    public override bool Add(ActivationHistogram seen, Tensor activation)
    {
        using var elements = FloatView.Of(activation);
        return seen.Add(elements.Span);
    }

    /// <inheritdoc/>
    public override void Write(ActivationHistogram seen, Stream to)
    {
        using var writer = new BinaryWriter(to, Encoding.UTF8, leaveOpen: true);
        seen.Write(writer);
    }

    /// <inheritdoc/>
    public override ActivationHistogram Read(Stream from)
    {
        using var reader = new BinaryReader(from, Encoding.UTF8, leaveOpen: true);
        return ActivationHistogram.Read(reader);
    }
}
