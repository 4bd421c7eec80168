using System.Runtime.Intrinsics;
using Build.ML.OnnxRuntime.Kernels;
using Build.ML.OnnxRuntime.Kernels.Convolution;

namespace Build.ML.OnnxRuntime.Tests;

/// <summary>Kernels give the same bits on machines with vectors of 256 and of 512 bits; only the latter can compare the two.</summary>
public sealed unsafe class VectorWidthTests
{
    const int Terms = 11;
    const int Length = 48 + 32 + 16;

    [Fact]
    public void Shifted_sums_do_not_depend_on_the_width_of_vectors()
    {
        if (!RuntimeKernel.IsSupported)
            return; // such machines use the runtime's own operators
        var (x, w) = (Random(Length + Terms), Random(Terms * ShiftedSums.Rows));
        var offsets = Enumerable.Range(0, Terms).Select(i => i * 7 % Terms).ToArray();
        float[] narrow = new float[ShiftedSums.Rows * Length], wide = new float[ShiftedSums.Rows * Length];
        fixed (float* xs = x, ws = w, narrows = narrow, wides = wide)
        fixed (int* o = offsets)
        {
            ShiftedSums.ComputeNarrow(xs, o, Terms, ws, narrows, Length);
            if (Vector512.IsHardwareAccelerated)
            {
                ShiftedSums.ComputeWide(xs, o, Terms, ws, wides, Length);
                Assert.Equal(narrow, wide);
            }
        }
        for (var r = 0; r < ShiftedSums.Rows; r++)
            for (var i = 0; i < Length; i++)
            {
                var sum = 0f;
                for (var j = 0; j < Terms; j++)
                    sum = MathF.FusedMultiplyAdd(w[j * ShiftedSums.Rows + r], x[offsets[j] + i], sum);
                Assert.Equal(sum, narrow[r * Length + i]);
            }
    }

    [Fact]
    public void Products_of_runs_do_not_depend_on_the_width_of_vectors()
    {
        if (!RuntimeKernel.IsSupported)
            return; // such machines use the runtime's own operators
        const int images = 3, xImage = Length + 16;
        var (g, x) = (Random(images * RunProducts.Rows * Length), Random(images * xImage));
        int[] offsets = [3, 0, 9];
        float[] narrow = new float[RunProducts.Sums], wide = new float[RunProducts.Sums];
        fixed (float* gs = g, xs = x, narrows = narrow, wides = wide)
        fixed (int* o = offsets)
        {
            var operands = new RunProducts.Operands((nint)gs, RunProducts.Rows * Length, Length, (nint)xs, xImage, images, Length);
            RunProducts.AddNarrow(operands, o, narrows);
            if (Vector512.IsHardwareAccelerated)
            {
                RunProducts.Add8(operands, o, wides);
                Assert.Equal(narrow, wide);
            }
        }
        for (var r = 0; r < RunProducts.Rows; r++)
            for (var t = 0; t < RunProducts.Terms; t++)
            {
                var sum = 0d;
                for (var i = 0; i < images * Length; i++)
                    sum += g[(i / Length * RunProducts.Rows + r) * Length + i % Length] * (double)x[i / Length * xImage + i % Length + offsets[t]];
                Assert.Equal(sum, narrow[r * RunProducts.Terms + t], 1e-4);
            }
    }

    static float[] Random(int count)
    {
        var random = new Random(count);
        return [.. Enumerable.Range(0, count).Select(_ => (float)random.NextDouble() - 0.5f)];
    }
}
