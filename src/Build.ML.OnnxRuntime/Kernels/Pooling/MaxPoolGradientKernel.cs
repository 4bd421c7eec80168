using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Build.ML.OnnxRuntime.Kernels.Pooling;

/// <summary>
/// dL/dX of a two-dimensional MaxPool. Inputs dL/dY [N, C, windows] and X [N, C, H, W]; attributes as MaxPool's, pads resolved. The first of the largest elements of a window gets its
/// gradient.
/// </summary>
[RuntimeKernel("MaxPoolGradient")]
internal sealed unsafe class MaxPoolGradientKernel : RuntimeKernel
{
    private int[] _kernel = [];
    private int[] _strides = [];
    private int[] _dilations = [];
    private int[] _pads = [];

    /// <inheritdoc/>
    public override int Inputs => 2;

    /// <inheritdoc/>
    public override void Initialize(KernelAttributes attributes)
    {
        _kernel = attributes.Ints("kernel_shape", 1, 1);
        _strides = attributes.Ints("strides", 1, 1);
        _dilations = attributes.Ints("dilations", 1, 1);
        _pads = attributes.Ints("pads", 0, 0, 0, 0);
    }

    /// <inheritdoc/>
    public override void Run(KernelCall call)
    {
        var (gradient, image) = (call.Input(0), call.Input(1));
        var (rows, columns, windowRows, windowColumns) = (image[2], image[3], gradient[2], gradient[3]);
        var g = gradient.Data;
        var x = image.Data;
        var d = call.Output(0, image.Sizes());
        var planes = (long)image[0] * image[1];
        var parts = (int)Math.Clamp(planes, 1, 16);
        var quarters = _kernel is [2, 2] && _strides is [2, 2] && _dilations is [1, 1] && _pads is [0, 0, _, _] && windowRows * 2 <= rows && windowColumns * 2 <= columns;
        call.Parallel(parts, part =>
        {
            for (var p = planes * part / parts; p < planes * (part + 1) / parts; p++)
            {
                var (from, to) = (p * windowRows * windowColumns, p * rows * columns);
                new Span<float>(d + to, rows * columns).Clear();
                if (quarters)
                {
                    for (var y = 0; y < windowRows; y++)
                    {
                        var row = to + (2L * y * columns);
                        Quarters(g + from + (y * windowColumns), x + row, d + row, columns, windowColumns);
                    }
                }
                else
                {
                    Windows(g + from, x + to, d + to, rows, columns, windowRows, windowColumns);
                }
            }
        });
    }

    // Windows of 2×2 side by side, eight at a time.
    private static void Quarters(float* g, float* x, float* d, int columns, int windows)
    {
        var i = 0;
        for (; i + 8 <= windows; i += 8)
        {
            float* top = x + (2 * i), bottom = top + columns, to = d + (2 * i);
            var (t0, t1) = (Vector256.Load(top), Vector256.Load(top + 8));
            var (b0, b1) = (Vector256.Load(bottom), Vector256.Load(bottom + 8));

            // In each half of a vector: elements 0, 2 of the first and of the second. The gradient is put into the same order.
            var (left, right) = (Avx.Shuffle(t0, t1, 0b10_00_10_00), Avx.Shuffle(t0, t1, 0b11_01_11_01));
            var (below, beside) = (Avx.Shuffle(b0, b1, 0b10_00_10_00), Avx.Shuffle(b0, b1, 0b11_01_11_01));
            var gradient = Avx2.Permute4x64(Vector256.Load(g + i).AsDouble(), 0b11_01_10_00).AsSingle();
            var isTop = Vector256.GreaterThanOrEqual(Vector256.Max(left, right), Vector256.Max(below, beside));
            var (isLeft, isBelow) = (Vector256.GreaterThanOrEqual(left, right), Vector256.GreaterThanOrEqual(below, beside));
            var (ofTop, ofBottom) = (gradient & isTop, Vector256.AndNot(gradient, isTop));
            Interleave(ofTop & isLeft, Vector256.AndNot(ofTop, isLeft), to);
            Interleave(ofBottom & isBelow, Vector256.AndNot(ofBottom, isBelow), to + columns);
        }

        for (; i < windows; i++)
        {
            float* top = x + (2 * i), bottom = top + columns, to = d + (2 * i);
            var isTop = Math.Max(top[0], top[1]) >= Math.Max(bottom[0], bottom[1]);
            to[isTop ? top[0] >= top[1] ? 0 : 1 : bottom[0] >= bottom[1] ? columns : columns + 1] = g[i];
        }
    }

    private static void Interleave(Vector256<float> even, Vector256<float> odd, float* to)
    {
        Avx.UnpackLow(even, odd).Store(to);
        Avx.UnpackHigh(even, odd).Store(to + 8);
    }

    private void Windows(float* g, float* x, float* d, int rows, int columns, int windowRows, int windowColumns)
    {
        for (var y = 0; y < windowRows; y++)
        {
            for (var z = 0; z < windowColumns; z++, g++)
            {
                var (best, at) = (float.NegativeInfinity, -1);
                for (var i = 0; i < _kernel[0]; i++)
                {
                    var row = (y * _strides[0]) + (i * _dilations[0]) - _pads[0];
                    if ((uint)row >= (uint)rows)
                    {
                        continue;
                    }

                    for (var j = 0; j < _kernel[1]; j++)
                    {
                        var column = (z * _strides[1]) + (j * _dilations[1]) - _pads[1];
                        if ((uint)column < (uint)columns && (at < 0 || x[(row * columns) + column] > best))
                        {
                            at = (row * columns) + column;
                            best = x[at];
                        }
                    }
                }

                if (at >= 0)
                {
                    d[at] += *g;
                }
            }
        }
    }
}
