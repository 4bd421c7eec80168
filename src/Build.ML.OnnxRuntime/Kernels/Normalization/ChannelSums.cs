using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Build.ML.OnnxRuntime.Kernels.Convolution;

namespace Build.ML.OnnxRuntime.Kernels.Normalization;

/// <summary>Sums over one run of numbers, in 16 lanes and in one order; the caller adds those of several runs in double.</summary>
internal static unsafe class ChannelSums
{
    /// <summary>Σ x.</summary>
    public static double Sum(float* x, int length)
    {
        Vector256<float> a = default, b = default;
        var i = 0;
        for (; i + 16 <= length; i += 16)
        {
            a += Vector256.Load(x + i);
            b += Vector256.Load(x + i + 8);
        }

        double sum = RunProducts.Sum(a + b);
        for (; i < length; i++)
        {
            sum += x[i];
        }

        return sum;
    }

    /// <summary>Σ (x − mean)².</summary>
    public static double SquaredDistance(float* x, float mean, int length)
    {
        Vector256<float> a = default, b = default;
        var centre = Vector256.Create(mean);
        var i = 0;
        for (; i + 16 <= length; i += 16)
        {
            var (u, v) = (Vector256.Load(x + i) - centre, Vector256.Load(x + i + 8) - centre);
            a = Fma.MultiplyAdd(u, u, a);
            b = Fma.MultiplyAdd(v, v, b);
        }

        double sum = RunProducts.Sum(a + b);
        for (; i < length; i++)
        {
            sum += (x[i] - mean) * (x[i] - mean);
        }

        return sum;
    }

    /// <summary>Σ g and Σ g·(x − mean).</summary>
    public static (double Sum, double Product) WithProduct(float* g, float* x, float mean, int length)
    {
        Vector256<float> a = default, b = default, p = default, q = default;
        var centre = Vector256.Create(mean);
        var i = 0;
        for (; i + 16 <= length; i += 16)
        {
            var (u, v) = (Vector256.Load(g + i), Vector256.Load(g + i + 8));
            a += u;
            b += v;
            p = Fma.MultiplyAdd(u, Vector256.Load(x + i) - centre, p);
            q = Fma.MultiplyAdd(v, Vector256.Load(x + i + 8) - centre, q);
        }

        double sum = RunProducts.Sum(a + b), product = RunProducts.Sum(p + q);
        for (; i < length; i++)
        {
            sum += g[i];
            product += g[i] * (x[i] - mean);
        }

        return (sum, product);
    }

    /// <summary>y = (x − mean)·slope + intercept.</summary>
    public static void Normalize(float* x, float* y, float mean, float slope, float intercept, int length)
    {
        var (m, s, t) = (Vector256.Create(mean), Vector256.Create(slope), Vector256.Create(intercept));
        var i = 0;
        for (; i + 8 <= length; i += 8)
        {
            Fma.MultiplyAdd(Vector256.Load(x + i) - m, s, t).Store(y + i);
        }

        for (; i < length; i++)
        {
            y[i] = MathF.FusedMultiplyAdd(x[i] - mean, slope, intercept);
        }
    }

    /// <summary>d = g·ofGradient + (x − mean)·ofDistance + constant.</summary>
    public static void Combine(float* g, float* x, float* d, float mean, float ofGradient, float ofDistance, float constant, int length)
    {
        var (m, a, b, c) = (Vector256.Create(mean), Vector256.Create(ofGradient), Vector256.Create(ofDistance), Vector256.Create(constant));
        var i = 0;
        for (; i + 8 <= length; i += 8)
        {
            Fma.MultiplyAdd(Vector256.Load(g + i), a, Fma.MultiplyAdd(Vector256.Load(x + i) - m, b, c)).Store(d + i);
        }

        for (; i < length; i++)
        {
            d[i] = MathF.FusedMultiplyAdd(g[i], ofGradient, MathF.FusedMultiplyAdd(x[i] - mean, ofDistance, constant));
        }
    }
}
