namespace Build.ML.Autodiff;

/// <summary>The weights by which Resize makes the elements of an axis from those of the image, as ONNX's operator definition says.</summary>
internal static class ResizeMatrix
{
    /// <summary>Row-major [<paramref name="resized"/>, <paramref name="size"/>].</summary>
    /// <param name="n">The Resize node: mode, coordinates, rounding.</param>
    /// <param name="size">Size of the axis before.</param>
    /// <param name="resized">Size behind.</param>
    /// <param name="scale">Given scale, or the quotient of the sizes.</param>
    public static float[] Of(Forward n, long size, long resized, float scale)
    {
        var matrix = new float[resized * size];
        for (var i = 0; i < resized; i++)
        {
            var at = Coordinate(n.String("coordinate_transformation_mode", "half_pixel"), i, size, resized, scale);
            var row = matrix.AsSpan((int)(i * size), (int)size);
            switch (n.String("mode", "nearest"))
            {
                case "nearest":
                    row[Clamp(Round(n.String("nearest_mode", "round_prefer_floor"), at), size)] = 1;
                    break;
                case "linear":
                    Linear(row, at);
                    break;
                default:
                    Cubic(row, at, n.Float("cubic_coeff_a", -0.75f), n.Int("exclude_outside", 0) != 0);
                    break;
            }
        }

        return matrix;
    }

    private static float Coordinate(string mode, int i, long size, long resized, float scale) => mode switch
    {
        "asymmetric" => i / scale,
        "align_corners" => resized == 1 ? 0 : i * (float)(size - 1) / (resized - 1),
        "pytorch_half_pixel" => resized > 1 ? ((i + 0.5f) / scale) - 0.5f : 0,
        "half_pixel_symmetric" => (size / 2f * (1 - (resized / (scale * size)))) + ((i + 0.5f) / scale) - 0.5f,
        "tf_half_pixel_for_nn" => (i + 0.5f) / scale, // up to version 12
        _ => ((i + 0.5f) / scale) - 0.5f,
    };

    private static float Round(string mode, float at) => mode switch
    {
        "floor" => MathF.Floor(at),
        "ceil" => MathF.Ceiling(at),
        "round_prefer_ceil" => MathF.Floor(at + 0.5f),
        _ => MathF.Ceiling(at - 0.5f),
    };

    private static int Clamp(float at, long size) => (int)Math.Clamp(at, 0, size - 1);

    private static void Linear(Span<float> row, float at)
    {
        at = Math.Clamp(at, 0, row.Length - 1);
        var low = (int)at;
        row[low] += 1 - (at - low);
        row[Math.Min(low + 1, row.Length - 1)] += at - low;
    }

    // Keys, Cubic convolution interpolation for digital image processing, 1981.
    private static void Cubic(Span<float> row, float at, float a, bool excludeOutside)
    {
        var low = (int)MathF.Floor(at);
        var sum = 0f;
        for (var tap = low - 1; tap <= low + 2; tap++)
        {
            if (excludeOutside && (tap < 0 || tap >= row.Length))
            {
                continue;
            }

            var d = MathF.Abs(at - tap);
            var weight = d <= 1 ? (((a + 2) * d) - (a + 3)) * d * d + 1 : ((((a * d) - (5 * a)) * d) + (8 * a)) * d - (4 * a);
            row[Clamp(tap, row.Length)] += weight;
            sum += weight;
        }

        for (var i = 0; excludeOutside && i < row.Length; i++)
        {
            row[i] /= sum;
        }
    }
}
