using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Build.ML.OnnxRuntime.Kernels.Convolution;

/// <summary>One weighted sum of shifted runs: y[i] = Σ over terms j of w[j]·x[offset[j] + i], as <see cref="ShiftedSums"/> takes them; and inner products with them.</summary>
internal static unsafe class ShiftedSum
{
    /// <summary>Computes a run.</summary>
    /// <param name="x">What is shifted; readable up to the largest offset + <paramref name="length"/>.</param>
    /// <param name="offsets">One for each term.</param>
    /// <param name="terms">Number of terms.</param>
    /// <param name="w">One for each term.</param>
    /// <param name="y">The run.</param>
    /// <param name="length">A multiple of 16.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Compute(float* x, int* offsets, int terms, float* w, float* y, int length)
    {
        var i = 0;
        for (; i + 32 <= length; i += 32)
        {
            Vector256<float> a = default, b = default, c = default, d = default;
            for (var j = 0; j < terms; j++)
            {
                var weight = Vector256.Create(w[j]);
                var from = x + offsets[j] + i;
                a = Fma.MultiplyAdd(weight, Vector256.Load(from), a);
                b = Fma.MultiplyAdd(weight, Vector256.Load(from + 8), b);
                c = Fma.MultiplyAdd(weight, Vector256.Load(from + 16), c);
                d = Fma.MultiplyAdd(weight, Vector256.Load(from + 24), d);
            }

            a.Store(y + i);
            b.Store(y + i + 8);
            c.Store(y + i + 16);
            d.Store(y + i + 24);
        }

        for (; i < length; i += 8)
        {
            var a = Vector256<float>.Zero;
            for (var j = 0; j < terms; j++)
            {
                a = Fma.MultiplyAdd(Vector256.Create(w[j]), Vector256.Load(x + offsets[j] + i), a);
            }

            a.Store(y + i);
        }
    }

    /// <summary>Adds Σ over i of g[i]·x[offset[j] + i] to each of 8 lanes of sum j.</summary>
    /// <param name="g">A run.</param>
    /// <param name="x">What is shifted.</param>
    /// <param name="offsets">One for each term.</param>
    /// <param name="terms">Number of terms.</param>
    /// <param name="sums">[terms][8].</param>
    /// <param name="length">A multiple of 16.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddProducts(float* g, float* x, int* offsets, int terms, float* sums, int length)
    {
        var j = 0;
        for (; j + 3 <= terms; j += 3, sums += 24)
        {
            var x0 = x + offsets[j];
            var x1 = x + offsets[j + 1];
            var x2 = x + offsets[j + 2];
            var (a, b, c) = (Vector256.Load(sums), Vector256.Load(sums + 8), Vector256.Load(sums + 16));
            for (var i = 0; i < length; i += 8)
            {
                var of = Vector256.Load(g + i);
                a = Fma.MultiplyAdd(of, Vector256.Load(x0 + i), a);
                b = Fma.MultiplyAdd(of, Vector256.Load(x1 + i), b);
                c = Fma.MultiplyAdd(of, Vector256.Load(x2 + i), c);
            }

            a.Store(sums);
            b.Store(sums + 8);
            c.Store(sums + 16);
        }

        for (; j < terms; j++, sums += 8)
        {
            var a = Vector256.Load(sums);
            for (var i = 0; i < length; i += 8)
            {
                a = Fma.MultiplyAdd(Vector256.Load(g + i), Vector256.Load(x + offsets[j] + i), a);
            }

            a.Store(sums);
        }
    }
}
