using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Build.ML.Quantization.Static.Rounding;

/// <summary>
/// The two matrix products of a linear layer's training, for a few outputs at a time: what it yields, and the gradient of its weights. Matrices are row-major; columns are
/// padded with zeros to a multiple of <see cref="Lanes"/>, outputs to a multiple of <see cref="Outputs"/>, samples to an even number. One thread each.
/// Apart from <see cref="Build.ML.Calibration.LinearAlgebra.MatrixProduct"/>, which packs its operands for the caches: of a band's 128 × 144 × 16 it took 1.7 times as long, of 128 × 144 × 8 three times.
/// </summary>
internal static class RowProducts
{
    /// <summary>Columns come in multiples of this.</summary>
    public const int Lanes = 8;

    /// <summary>Outputs come in multiples of this.</summary>
    public const int Outputs = 4;

    /// <summary>The least multiple of <paramref name="unit"/> that is not below <paramref name="count"/>.</summary>
    public static int Padded(int count, int unit) => (count + unit - 1) / unit * unit;

    /// <summary>y = x·wᵀ.</summary>
    /// <param name="x">[samples, columns].</param>
    /// <param name="w">[outputs, columns].</param>
    /// <param name="y">[samples, outputs].</param>
    /// <param name="columns">Columns of both.</param>
    public static void Forward(ReadOnlySpan<float> x, ReadOnlySpan<float> w, Span<float> y, int columns)
    {
        int samples = x.Length / columns, outputs = w.Length / columns;
        ref var x0 = ref MemoryMarshal.GetReference(x);
        ref var w0 = ref MemoryMarshal.GetReference(w);
        for (var s = 0; s < samples; s += 2)
        {
            ref var a = ref Unsafe.Add(ref x0, s * columns);
            ref var b = ref Unsafe.Add(ref a, columns);
            for (var o = 0; o < outputs; o += Outputs)
            {
                ref var p = ref Unsafe.Add(ref w0, o * columns);
                ref var q = ref Unsafe.Add(ref p, columns);
                ref var r = ref Unsafe.Add(ref q, columns);
                ref var t = ref Unsafe.Add(ref r, columns);
                Vector256<float> ap = default, aq = default, ar = default, at = default, bp = default, bq = default, br = default, bt = default;
                for (nuint k = 0; k < (nuint)columns; k += Lanes)
                {
                    var va = Vector256.LoadUnsafe(ref a, k);
                    var vb = Vector256.LoadUnsafe(ref b, k);
                    var v = Vector256.LoadUnsafe(ref p, k);
                    ap = Vector256.MultiplyAddEstimate(va, v, ap);
                    bp = Vector256.MultiplyAddEstimate(vb, v, bp);
                    v = Vector256.LoadUnsafe(ref q, k);
                    aq = Vector256.MultiplyAddEstimate(va, v, aq);
                    bq = Vector256.MultiplyAddEstimate(vb, v, bq);
                    v = Vector256.LoadUnsafe(ref r, k);
                    ar = Vector256.MultiplyAddEstimate(va, v, ar);
                    br = Vector256.MultiplyAddEstimate(vb, v, br);
                    v = Vector256.LoadUnsafe(ref t, k);
                    at = Vector256.MultiplyAddEstimate(va, v, at);
                    bt = Vector256.MultiplyAddEstimate(vb, v, bt);
                }

                var first = y.Slice(s * outputs + o, Outputs);
                (first[0], first[1], first[2], first[3]) = (Vector256.Sum(ap), Vector256.Sum(aq), Vector256.Sum(ar), Vector256.Sum(at));
                var second = y.Slice((s + 1) * outputs + o, Outputs);
                (second[0], second[1], second[2], second[3]) = (Vector256.Sum(bp), Vector256.Sum(bq), Vector256.Sum(br), Vector256.Sum(bt));
            }
        }
    }

    /// <summary>g = dᵀ·x.</summary>
    /// <param name="d">[samples, outputs].</param>
    /// <param name="x">[samples, columns].</param>
    /// <param name="g">[outputs, columns].</param>
    /// <param name="columns">Columns of x and g.</param>
    public static void Backward(ReadOnlySpan<float> d, ReadOnlySpan<float> x, Span<float> g, int columns)
    {
        int samples = x.Length / columns, outputs = g.Length / columns;
        ref var x0 = ref MemoryMarshal.GetReference(x);
        ref var d0 = ref MemoryMarshal.GetReference(d);
        ref var g0 = ref MemoryMarshal.GetReference(g);
        for (var o = 0; o < outputs; o += Outputs)
        {
            for (var k = 0; k < columns; k += 2 * Lanes)
            {
                // Columns end on one vector or on two.
                var second = k + Lanes < columns ? Lanes : 0;
                Vector256<float> pa = default, qa = default, ra = default, ta = default, pb = default, qb = default, rb = default, tb = default;
                for (var s = 0; s < samples; s++)
                {
                    ref var row = ref Unsafe.Add(ref x0, s * columns + k);
                    ref var delta = ref Unsafe.Add(ref d0, s * outputs + o);
                    var a = Vector256.LoadUnsafe(ref row);
                    var b = Vector256.LoadUnsafe(ref row, (nuint)second);
                    var v = Vector256.Create(delta);
                    pa = Vector256.MultiplyAddEstimate(v, a, pa);
                    pb = Vector256.MultiplyAddEstimate(v, b, pb);
                    v = Vector256.Create(Unsafe.Add(ref delta, 1));
                    qa = Vector256.MultiplyAddEstimate(v, a, qa);
                    qb = Vector256.MultiplyAddEstimate(v, b, qb);
                    v = Vector256.Create(Unsafe.Add(ref delta, 2));
                    ra = Vector256.MultiplyAddEstimate(v, a, ra);
                    rb = Vector256.MultiplyAddEstimate(v, b, rb);
                    v = Vector256.Create(Unsafe.Add(ref delta, 3));
                    ta = Vector256.MultiplyAddEstimate(v, a, ta);
                    tb = Vector256.MultiplyAddEstimate(v, b, tb);
                }

                ref var to = ref Unsafe.Add(ref g0, o * columns + k);
                Store(ref to, pa, pb, second);
                Store(ref Unsafe.Add(ref to, columns), qa, qb, second);
                Store(ref Unsafe.Add(ref to, 2 * columns), ra, rb, second);
                Store(ref Unsafe.Add(ref to, 3 * columns), ta, tb, second);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(ref float to, Vector256<float> a, Vector256<float> b, int second)
    {
        a.StoreUnsafe(ref to);
        if (second != 0)
        {
            b.StoreUnsafe(ref to, (nuint)second);
        }
    }
}
