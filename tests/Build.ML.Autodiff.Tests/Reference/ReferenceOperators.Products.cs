using System.Numerics;
using Build.ML.Graph.Ir;

namespace Build.ML.Autodiff.Tests.Reference;

/// <content>Matrix products, convolutions, pools.</content>
public static partial class ReferenceOperators
{
    public static DoubleTensor[] MatMul(Node node, DoubleTensor?[] x)
    {
        var (a, b) = (x[0]!, x[1]!);
        var (m, k, n) = ((int)a.Sizes[^2], (int)a.Sizes[^1], (int)b.Sizes[^1]);
        // Which matrix of each belongs to which of the result: the batch axes broadcast.
        static DoubleTensor Counted(DoubleTensor t)
        {
            var sizes = t.Sizes[..^2];
            return new(sizes, [.. Enumerable.Range(0, (int)DoubleTensor.Product(sizes)).Select(i => (double)i)]);
        }
        var pairs = DoubleTensor.Zip(Counted(a), Counted(b), (i, j) => i * 1e6 + j);
        var y = DoubleTensor.OfSizes([.. pairs.Sizes, m, n]);
        for (var p = 0; p < pairs.Data.Length; p++)
        {
            var (i, j) = ((int)(pairs.Data[p] / 1e6), (int)(pairs.Data[p] % 1e6));
            for (var row = 0; row < m; row++)
                for (var c = 0; c < k; c++)
                    AddMultiple(y.Data.AsSpan((p * m + row) * n, n), b.Data.AsSpan((j * k + c) * n, n), a.Data[(i * m + row) * k + c]);
        }
        return [y];
    }

    public static DoubleTensor[] Gemm(Node node, DoubleTensor?[] x)
    {
        static DoubleTensor Turned(DoubleTensor t, bool turn) => turn ? t.Pick([t.Sizes[1], t.Sizes[0]], i => [i[1], i[0]]) : t;
        var product = MatMul(node, [Turned(x[0]!, node.Int("transA", 0) != 0), Turned(x[1]!, node.Int("transB", 0) != 0)])[0].Map(v => v * node.Float("alpha", 1));
        return [x.Length > 2 && x[2] is { } c ? DoubleTensor.Zip(product, c, (a, b) => a + node.Float("beta", 1) * b) : product];
    }

    public static DoubleTensor[] Conv(Node node, DoubleTensor?[] x)
    {
        var (input, weight) = (x[0]!, x[1]!);
        var window = new Window(node, input.Sizes, weight.Sizes[2..]);
        var (channels, ofGroup, groups) = ((int)weight.Sizes[0], (int)weight.Sizes[1], (int)node.Int("group", 1));
        var (h, w, oh, ow) = ((int)input.Sizes[2], (int)input.Sizes[3], window.Height, window.Width);
        var y = DoubleTensor.OfSizes(input.Sizes[0], channels, oh, ow);
        for (var n = 0; n < input.Sizes[0]; n++)
            for (var o = 0; o < channels; o++)
            {
                var plane = y.Data.AsSpan((n * channels + o) * oh * ow, oh * ow);
                if (x.Length > 2 && x[2] is { } bias)
                    plane.Fill(bias.Data[o]);
                for (var c = 0; c < ofGroup; c++)
                {
                    var from = input.Data.AsSpan((int)((n * input.Sizes[1] + o / (channels / groups) * ofGroup + c) * h * w), h * w);
                    foreach (var (ky, kx, tap) in window.Taps)
                    {
                        var factor = weight.Data[(o * ofGroup + c) * window.Taps.Length + tap];
                        for (var i = 0; i < oh; i++)
                        {
                            var row = i * window.StrideY + ky;
                            if (row < 0 || row >= h)
                                continue;
                            var (first, last) = (Math.Max(0, (-kx + window.StrideX - 1) / window.StrideX), Math.Min(ow - 1, (w - 1 - kx) / window.StrideX));
                            if (window.StrideX == 1)
                                AddMultiple(plane.Slice(i * ow + first, last - first + 1), from.Slice(row * w + first + kx, last - first + 1), factor);
                            else
                                for (var j = first; j <= last; j++)
                                    plane[i * ow + j] += factor * from[row * w + j * window.StrideX + kx];
                        }
                    }
                }
            }
        return [y];
    }

    public static DoubleTensor[] MaxPool(Node node, DoubleTensor?[] x) => [Pool(node, x[0]!, v => v.Max())];

    public static DoubleTensor[] AveragePool(Node node, DoubleTensor?[] x) =>
        node.Int("count_include_pad", 0) == 0 || node.Ints("pads") is { IsDefault: true } ? [Pool(node, x[0]!, v => v.Average())] : throw new NotSupportedException("Padded averages.");

    public static DoubleTensor[] GlobalAveragePool(Node node, DoubleTensor?[] x) => [x[0]!.Reduce([2, 3], true, v => v.Average())];

    // As in training: the batch's statistics.
    public static DoubleTensor[] BatchNormalization(Node node, DoubleTensor?[] x)
    {
        int[] axes = [.. Enumerable.Range(0, x[0]!.Rank).Where(d => d != 1)];
        DoubleTensor Channels(DoubleTensor t) => t.Reshape([t.Sizes[0], .. Enumerable.Repeat(1L, x[0]!.Rank - 2)]);
        var centred = DoubleTensor.Zip(x[0]!, x[0]!.Reduce(axes, true, v => v.Average()), (a, m) => a - m);
        var deviation = centred.Reduce(axes, true, v => Math.Sqrt(v.Average(e => e * e) + node.Float("epsilon", 1e-5f)));
        var scaled = DoubleTensor.Zip(DoubleTensor.Zip(centred, deviation, (a, d) => a / d), Channels(x[1]!), (a, s) => a * s);
        return [DoubleTensor.Zip(scaled, Channels(x[2]!), (a, b) => a + b)];
    }

    static DoubleTensor Pool(Node node, DoubleTensor x, Func<List<double>, double> f)
    {
        var window = new Window(node, x.Sizes, [.. node.Ints("kernel_shape")]);
        var y = DoubleTensor.OfSizes(x.Sizes[0], x.Sizes[1], window.Height, window.Width);
        var seen = new List<double>();
        for (var i = 0; i < y.Data.Length; i++)
        {
            var (plane, row, column) = (i / (window.Height * window.Width), i / window.Width % window.Height, i % window.Width);
            seen.Clear();
            foreach (var (ky, kx, _) in window.Taps)
            {
                var (r, c) = (row * window.StrideY + ky, column * window.StrideX + kx);
                if (r >= 0 && r < x.Sizes[2] && c >= 0 && c < x.Sizes[3])
                    seen.Add(x.Data[(plane * x.Sizes[2] + r) * x.Sizes[3] + c]);
            }
            y.Data[i] = f(seen);
        }
        return y;
    }

    static void AddMultiple(Span<double> to, ReadOnlySpan<double> from, double factor)
    {
        var (i, f) = (0, new Vector<double>(factor));
        for (; i <= to.Length - Vector<double>.Count; i += Vector<double>.Count)
            (new Vector<double>(to[i..]) + f * new Vector<double>(from[i..])).CopyTo(to[i..]);
        for (; i < to.Length; i++)
            to[i] += factor * from[i];
    }

    /// <summary>A sliding window over two axes; each tap's place relative to the window's first, less the padding.</summary>
    sealed class Window
    {
        public Window(Node node, long[] input, long[] kernel)
        {
            int Of(string attribute, int index, int otherwise) => node.Ints(attribute) is { IsDefault: false } values ? (int)values[index] : otherwise;
            if (node.String("auto_pad", "NOTSET") != "NOTSET" || node.Int("ceil_mode", 0) != 0)
                throw new NotSupportedException("auto_pad, ceil_mode");
            (StrideY, StrideX) = (Of("strides", 0, 1), Of("strides", 1, 1));
            var (dilationY, dilationX, top, left) = (Of("dilations", 0, 1), Of("dilations", 1, 1), Of("pads", 0, 0), Of("pads", 1, 0));
            Height = ((int)input[2] + top + Of("pads", 2, 0) - dilationY * ((int)kernel[0] - 1) - 1) / StrideY + 1;
            Width = ((int)input[3] + left + Of("pads", 3, 0) - dilationX * ((int)kernel[1] - 1) - 1) / StrideX + 1;
            Taps = [.. Enumerable.Range(0, (int)(kernel[0] * kernel[1])).Select(t => ((int)(t / kernel[1]) * dilationY - top, (int)(t % kernel[1]) * dilationX - left, t))];
        }

        public int StrideY { get; }
        public int StrideX { get; }
        public int Height { get; }
        public int Width { get; }
        public (int Y, int X, int Index)[] Taps { get; }
    }
}
