using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Build.ML.OnnxRuntime.Kernels.Elementwise;

/// <summary>
/// The gradient of <see cref="FakeQuantizationKernel"/>, rounding passed straight through (Esser et al. 2020, Learned Step Size Quantization, eqs. 3 and 5). Inputs dL/dY, X and s; outputs
/// dL/dX, dL/dY where v = x/s is inside the bounds, else 0; and dL/ds = Σ dL/dY·(round(v) − v inside, the bound outside).
/// </summary>
[RuntimeKernel("FakeQuantizationGradient")]
internal sealed unsafe class FakeQuantizationGradientKernel : RuntimeKernel
{
    private float _low;
    private float _high;

    /// <inheritdoc/>
    public override int Inputs => 3;

    /// <inheritdoc/>
    public override int Outputs => 2;

    /// <inheritdoc/>
    public override void Initialize(KernelAttributes attributes) => (_low, _high) = (attributes.Float("low", 0), attributes.Float("high", 255));

    /// <inheritdoc/>
    public override void Run(KernelCall call)
    {
        const long partLength = FakeQuantizationKernel.PartLength;
        var input = call.Input(1);
        var g = call.Input(0).Data;
        var x = input.Data;
        var size = call.Input(2).Data[0];
        var d = call.Output(0, input.Sizes());
        var ofSize = call.Output(1, call.Input(2).Sizes());
        var count = input.Count;
        var parts = (int)Math.Max(1, (count + partLength - 1) / partLength);
        var sums = new double[parts];
        call.Parallel(parts, part =>
        {
            var start = part * partLength;
            sums[part] = Compute(g + start, x + start, d + start, (int)Math.Min(partLength, count - start), size);
        });

        // In the order of the parts, whichever thread had them.
        var sum = 0d;
        foreach (var part in sums)
        {
            sum += part;
        }

        ofSize[0] = (float)sum;
    }

    private double Compute(float* g, float* x, float* d, int length, float size)
    {
        var (low, high, s) = (Vector256.Create(_low), Vector256.Create(_high), Vector256.Create(size));
        var sum = Vector256<float>.Zero;
        var i = 0;
        for (; i + 8 <= length; i += 8)
        {
            var (v, gradient) = (Vector256.Load(x + i) / s, Vector256.Load(g + i));
            var inside = Vector256.GreaterThan(v, low) & Vector256.LessThan(v, high);
            (inside & gradient).Store(d + i);
            var rounded = Avx.RoundToNearestInteger(Vector256.Min(Vector256.Max(v, low), high));
            sum += gradient * (rounded - (inside & v));
        }

        double total = 0;
        for (var lane = 0; lane < 8; lane++)
        {
            total += sum[lane];
        }

        for (; i < length; i++)
        {
            var v = x[i] / size;
            var inside = v > _low && v < _high;
            d[i] = inside ? g[i] : 0;
            total += g[i] * (MathF.Round(Math.Clamp(v, _low, _high)) - (inside ? v : 0));
        }

        return total;
    }
}
