using System.Globalization;

namespace Build.ML.Cli.Output;

/// <summary>Figures as people read them.</summary>
internal static class Figures
{
    private static readonly string[] Units = ["bytes", "KB", "MB", "GB", "TB"];

    /// <summary>Bytes in decimal units with three digits: <c>10.8 MB</c>.</summary>
    public static string Bytes(long bytes)
    {
        var (value, unit) = ((double)bytes, 0);
        for (; Math.Abs(value) >= 999.5 && unit < Units.Length - 1; unit++)
        {
            value /= 1000;
        }

        return unit == 0 ? $"{Count(bytes)} bytes" : $"{Digits(value)} {Units[unit]}";
    }

    /// <summary>A number with its thousands apart: <c>2,701,234</c>.</summary>
    public static string Count(long count) => count.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>A duration with three digits: <c>840 ms</c>, <c>2.31 s</c>, <c>4 min 05 s</c>.</summary>
    public static string Duration(TimeSpan duration) =>
        duration.TotalSeconds < 0.9995 ? string.Create(CultureInfo.InvariantCulture, $"{duration.TotalMilliseconds:0} ms")
        : duration.TotalSeconds < 59.95 ? $"{Digits(duration.TotalSeconds)} s"
        : duration.TotalMinutes < 60 ? string.Create(CultureInfo.InvariantCulture, $"{(int)duration.TotalMinutes} min {duration.Seconds:00} s")
        : string.Create(CultureInfo.InvariantCulture, $"{(int)duration.TotalHours} h {duration.Minutes:00} min");

    /// <summary>A figure with three significant digits.</summary>
    public static string Digits(double value) => Math.Abs(value) switch
    {
        >= 99.95 => value.ToString("0", CultureInfo.InvariantCulture),
        >= 9.995 => value.ToString("0.0", CultureInfo.InvariantCulture),
        _ => value.ToString("0.00", CultureInfo.InvariantCulture),
    };
}
