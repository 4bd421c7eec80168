using System.Globalization;

namespace Build.ML.Metrics.Running;

/// <summary>Energy estimated as the processor time of this process times a stated power.</summary>
/// <param name="watts">Power of one busy core.</param>
internal sealed class CpuTimeCounter(double watts) : IEnergyCounter
{
    /// <inheritdoc/>
    public string Description => string.Create(CultureInfo.InvariantCulture, $"CPU seconds × {watts} W");

    /// <inheritdoc/>
    public double Read() => Environment.CpuUsage.TotalTime.TotalSeconds * watts;
}
