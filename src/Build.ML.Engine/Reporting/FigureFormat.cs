using System.Globalization;
using Build.ML.Abstractions.Metrics;

namespace Build.ML.Engine.Reporting;

/// <summary>Figures for people: three or four digits and a unit.</summary>
public static class FigureFormat
{
    private static readonly CultureInfo Culture = CultureInfo.InvariantCulture;

    /// <summary>A figure with its unit.</summary>
    public static string Of(MetricValue value) => Of(value.Value, value.Unit);

    /// <summary>How a figure compares with the source model's: a difference for shares, a ratio for the rest; nothing for decibels, which are ratios to it already.</summary>
    public static string Compare(MetricValue value, double source)
    {
        if (value.Unit == "dB")
        {
            return "";
        }

        if (value.Unit == "ratio")
        {
            var difference = Math.Round(value.Value - source, 4);
            return double.IsNaN(difference) ? "" : difference == 0 ? "(=)" : string.Create(Culture, $"({difference:+0.####;-0.####})");
        }

        return source == 0 ? "" : string.Create(Culture, $"({value.Value / source:0.00}x)");
    }

    private static string Of(double value, string unit) => unit switch
    {
        _ when !double.IsFinite(value) => value.ToString(Culture),
        "ratio" => value.ToString("0.####", Culture),
        "bytes" => Scaled(value, " B", (1e9, " GB"), (1e6, " MB"), (1e3, " kB")),
        "s" => Scaled(value, " s", (1, " s"), (1e-3, " ms"), (1e-6, " us"), (1e-9, " ns")),
        "J" => Scaled(value, " J", (1, " J"), (1e-3, " mJ"), (1e-6, " uJ")),
        "count" => Scaled(value, "", (1e9, " G"), (1e6, " M"), (1e3, " k")),
        "1/s" => Scaled(value, "/s", (1, "/s")),
        "dB" => value.ToString("0.0", Culture) + " dB",
        _ => Digits(value) + (unit.Length == 0 ? "" : " " + unit),
    };

    private static string Scaled(double value, string plain, params (double Size, string Unit)[] steps)
    {
        foreach (var (size, unit) in steps)
        {
            if (Math.Abs(value) >= size)
            {
                return Digits(value / size) + unit;
            }
        }

        return Digits(value) + plain;
    }

    private static string Digits(double value) => Math.Abs(value) switch
    {
        >= 100 => value.ToString("0", Culture),
        >= 10 => value.ToString("0.0", Culture),
        _ => value.ToString("0.###", Culture),
    };
}
