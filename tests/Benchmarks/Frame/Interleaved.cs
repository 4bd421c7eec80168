using System.Diagnostics;

namespace Build.ML.Benchmarks.Frame;

/// <summary>Takes several sides in turn, round by round, so that what the machine does meanwhile hits them alike.</summary>
public static class Interleaved
{
    /// <summary>Runs each side once unmeasured, then all in turn.</summary>
    /// <param name="rounds">Measured rounds.</param>
    /// <param name="unit">Of what the sides return.</param>
    /// <param name="sides">Name, and what gives one value.</param>
    public static IReadOnlyList<Measured> Run(int rounds, string unit, params (string Name, Func<double> Measure)[] sides)
    {
        var values = sides.Select(_ => new List<double>()).ToArray();
        for (var round = -1; round < rounds; round++)
        {
            for (var i = 0; i < sides.Length; i++)
            {
                // Every other round backwards, so that no side always follows the same one.
                var side = round % 2 == 0 ? i : sides.Length - 1 - i;
                var value = sides[side].Measure();
                if (round >= 0)
                {
                    values[side].Add(value);
                }
            }
        }

        return [.. sides.Select((side, i) => new Measured(side.Name, Median(values[i]), values[i].Min(), values[i].Max(), unit))];
    }

    /// <summary>Seconds an action takes.</summary>
    public static double Seconds(Action action)
    {
        var start = Stopwatch.GetTimestamp();
        action();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    /// <summary>The middle value, or the mean of the two in the middle.</summary>
    public static double Median(IReadOnlyCollection<double> values)
    {
        var sorted = values.Order().ToArray();
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }
}
