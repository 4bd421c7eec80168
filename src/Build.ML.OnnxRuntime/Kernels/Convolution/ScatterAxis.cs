namespace Build.ML.OnnxRuntime.Kernels.Convolution;

/// <summary>One axis of a convolution seen from its image: which windows reach an element, by which tap.</summary>
internal sealed class ScatterAxis
{
    /// <summary>Works it out. Element i of the image, q = i + pad, is reached by tap k of window t where t·stride + k·dilation = q.</summary>
    public ScatterAxis(int image, int windows, int kernel, int stride, int dilation, int pad)
    {
        Windows = windows;
        var phases = new List<Phase>();
        var (low, high) = (int.MaxValue, int.MinValue);
        for (var remainder = 0; remainder < stride; remainder++)
        {
            // q = t·stride + remainder for t from the first that is not before the image on.
            var start = (pad - remainder + stride - 1) / stride;
            if (pad - remainder < 0)
            {
                start = 0;
            }

            var count = ((image + pad - 1 - remainder - (start * stride)) / stride) + 1;
            if ((start * stride) + remainder >= image + pad)
            {
                continue;
            }

            (int Tap, int Shift)[] taps = [.. Enumerable.Range(0, kernel).Where(k => k * dilation % stride == remainder).Select(k => (k, k * dilation / stride))];
            phases.Add(new Phase((start * stride) + remainder - pad, stride, start, count, taps));
            low = Math.Min(low, start - (taps.Length > 0 ? taps[^1].Shift : 0));
            high = Math.Max(high, start + count);
        }

        (First, Size) = (low, high - low);
        Phases = [.. phases.Select(p => p with { Start = p.Start - low })];
    }

    /// <summary>Number of windows.</summary>
    public int Windows { get; }

    /// <summary>Window that the first laid-out element is; below 0 for padding.</summary>
    public int First { get; }

    /// <summary>Number of laid-out elements.</summary>
    public int Size { get; }

    /// <summary>Elements of the image by remainder.</summary>
    public Phase[] Phases { get; }

    /// <summary>Elements of the image with one remainder.</summary>
    /// <param name="Element">The first.</param>
    /// <param name="Stride">Distance to the next.</param>
    /// <param name="Start">Laid-out place of the window with tap shift 0 for the first element.</param>
    /// <param name="Count">How many.</param>
    /// <param name="Taps">Taps that reach them, and how many windows before the place with shift 0.</param>
    public sealed record Phase(int Element, int Stride, int Start, int Count, (int Tap, int Shift)[] Taps);
}
