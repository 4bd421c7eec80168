using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Build.ML.Training.Random;

/// <summary>
/// Turns words of random bits, which the floats hold, into numbers of a distribution, each by itself. Vectors and the rest after them go
/// through the same operations, all of them exactly
/// rounded, so bits do not depend on the vector's width.
/// </summary>
internal static class Distributions
{
    private static readonly float[] Central =
        [2.81022636e-08f, 3.43273939e-07f, -3.5233877e-06f, -4.39150654e-06f, 0.00021858087f, -0.00125372503f, -0.00417768164f, 0.246640727f, 1.50140941f];

    private static readonly float[] Tail =
        [-0.000200214257f, 0.000100950558f, 0.00134934322f, -0.00367342844f, 0.00573950773f, -0.0076224613f, 0.00943887047f, 1.00167406f, 2.83297682f];

    private interface IDistribution
    {
        Vector<float> Of(Vector<uint> words);
    }

    /// <summary>[from, to], from the upper 24 bits.</summary>
    public static void Uniform(Span<float> values, float from, float to) => Map(values, new UniformDistribution(from, to - from));

    /// <summary>Normal, from the upper 23 bits.</summary>
    public static void Normal(Span<float> values, float mean, float deviation) => Map(values, new NormalDistribution(mean, deviation));

    /// <summary>1/keep where the word is below keep · 2³², else 0.</summary>
    public static void Mask(Span<float> values, double keep) => Map(values, new MaskDistribution((uint)Math.Min(keep * 4294967296d, uint.MaxValue), (float)(1 / keep), keep >= 1));

    private static void Map<T>(Span<float> values, T distribution)
        where T : struct, IDistribution
    {
        var vectors = MemoryMarshal.Cast<float, Vector<uint>>(values);
        foreach (ref var vector in vectors)
        {
            vector = Vector.AsVectorUInt32(distribution.Of(vector));
        }

        var rest = values[(vectors.Length * Vector<float>.Count)..];
        if (rest.Length > 0)
        {
            Span<float> last = stackalloc float[Vector<float>.Count];
            rest.CopyTo(last);
            distribution.Of(MemoryMarshal.Cast<float, Vector<uint>>(last)[0]).CopyTo(last);
            last[..rest.Length].CopyTo(rest);
        }
    }

    private static Vector<float> ToFloat(Vector<uint> below24Bits) => Vector.ConvertToSingle(Vector.AsVectorInt32(below24Bits));

    private readonly struct UniformDistribution(float from, float range) : IDistribution
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Vector<float> Of(Vector<uint> words) =>
            new Vector<float>(from) + (new Vector<float>(range) * (ToFloat(words >>> 8) * new Vector<float>(1f / (1 << 24))));
    }

    private readonly struct MaskDistribution(uint threshold, float kept, bool all) : IDistribution
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Vector<float> Of(Vector<uint> words) => all
            ? new Vector<float>(kept)
            : Vector.ConditionalSelect(Vector.AsVectorSingle(Vector.LessThan(words, new Vector<uint>(threshold))), new Vector<float>(kept), Vector<float>.Zero);
    }

    private readonly struct NormalDistribution(float mean, float deviation) : IDistribution
    {
        // p = (2k + 1)/2²⁴ for 23 bits k, so that p and 1 − p are floats without rounding; z = √2 · erfinv(2p − 1).
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Vector<float> Of(Vector<uint> words)
        {
            var odd = ((words >>> 9) << 1) | Vector<uint>.One;
            var unit = new Vector<float>(1f / (1 << 24));
            var p = ToFloat(odd) * unit;
            var q = Vector<float>.One - p;
            var w = -Log(new Vector<float>(4) * p * q);
            var central = Polynomial(Central, w - new Vector<float>(2.5f));
            var tail = Polynomial(Tail, Vector.SquareRoot(w) - new Vector<float>(3));
            var slope = Vector.ConditionalSelect(Vector.LessThan(w, new Vector<float>(5)), central, tail);
            return new Vector<float>(mean) + (new Vector<float>(deviation * 1.41421356f) * (slope * (p - q)));
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static Vector<float> Polynomial(float[] coefficients, Vector<float> x)
        {
            var sum = new Vector<float>(coefficients[0]);
            for (var i = 1; i < coefficients.Length; i++)
            {
                sum = (sum * x) + new Vector<float>(coefficients[i]);
            }

            return sum;
        }

        // ln(m · 2ᵉ) = e ln 2 + 2 artanh((m − 1)/(m + 1)) with m of [√½, √2): five terms of the series leave 1e-9. Positive normal numbers
        // only.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static Vector<float> Log(Vector<float> x)
        {
            var bits = Vector.AsVectorInt32(x);
            var exponent = (bits - new Vector<int>(0x3F3504F3)) >> 23; // √½
            var m = Vector.AsVectorSingle(bits - (exponent << 23));
            var s = (m - Vector<float>.One) / (m + Vector<float>.One);
            var t = s * s;
            var series = ((((((new Vector<float>(1f / 9) * t) + new Vector<float>(1f / 7)) * t) + new Vector<float>(1f / 5)) * t) + new Vector<float>(1f / 3)) * t;
            var twice = s + s;
            return (Vector.ConvertToSingle(exponent) * new Vector<float>(0.693147181f)) + (twice + (twice * series));
        }
    }
}
