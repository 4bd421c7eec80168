namespace Build.ML.WeightSharing.Clustering;

/// <summary>Finds which of at most 256 intervals a number is in: a table over equal steps gives the first that may be it, comparisons the rest.</summary>
internal sealed class Intervals
{
    private const int Steps = 1 << 12;
    private readonly float[] _bounds;
    private readonly byte[] _first = new byte[Steps];
    private readonly float _origin;
    private readonly float _scale;

    /// <summary>Intervals between bounds; a number equal to a bound is in the interval below it.</summary>
    /// <param name="bounds">Ascending, at most 255; one interval more than bounds.</param>
    public Intervals(float[] bounds)
    {
        _bounds = [.. bounds, float.PositiveInfinity];
        if (bounds.Length > 1 && bounds[^1] > bounds[0])
        {
            _origin = bounds[0];
            _scale = (Steps - 2) / (bounds[^1] - bounds[0]);
            _scale = float.IsFinite(_scale) ? _scale : 0;
        }

        // A bound whose step is below a number's step is below the number, as steps do not fall where numbers grow.
        for (int step = 0, below = 0; step < Steps; step++)
        {
            while (below < bounds.Length && StepOf(bounds[below]) < step)
            {
                below++;
            }

            _first[step] = (byte)below;
        }
    }

    /// <summary>Halfway between neighbours.</summary>
    /// <param name="centroids">Ascending.</param>
    public static float[] Between(ReadOnlySpan<float> centroids)
    {
        var bounds = new float[Math.Max(0, centroids.Length - 1)];
        for (var i = 0; i < bounds.Length; i++)
        {
            bounds[i] = (float)(((double)centroids[i] + centroids[i + 1]) / 2);
        }

        return bounds;
    }

    /// <summary>The interval of a finite number.</summary>
    public int Of(float number)
    {
        int k = _first[StepOf(number)];
        while (number > _bounds[k])
        {
            k++;
        }

        return k;
    }

    private int StepOf(float number) => (int)Math.Clamp((number - _origin) * _scale + 1, 0, Steps - 1);
}
