using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Build.ML.OnnxRuntime.Kernels.Elementwise;

/// <summary>s·round(clip(x/s, low, high)), halves to even, in one pass. Inputs X and s, one element; attributes low and high. The same bits as Div, Clip, Round and Mul one by one.</summary>
[RuntimeKernel("FakeQuantization")]
internal sealed unsafe class FakeQuantizationKernel : RuntimeKernel
{
    // Elements of a part: see ElementwiseKernel.
    internal const long PartLength = 16 << 10;

    private float _low;
    private float _high;

    /// <inheritdoc/>
    public override int Inputs => 2;

    /// <inheritdoc/>
    public override void Initialize(KernelAttributes attributes) => (_low, _high) = (attributes.Float("low", 0), attributes.Float("high", 255));

    /// <inheritdoc/>
    public override void Run(KernelCall call)
    {
        var input = call.Input(0);
        var x = input.Data;
        var size = call.Input(1).Data[0];
        var y = call.Output(0, input.Sizes());
        var count = input.Count;
        call.Parallel((int)Math.Max(1, (count + PartLength - 1) / PartLength), part =>
        {
            var start = part * PartLength;
            Compute(x + start, y + start, (int)Math.Min(PartLength, count - start), size);
        });
    }

    private void Compute(float* x, float* y, int length, float size)
    {
        var (low, high, s) = (Vector256.Create(_low), Vector256.Create(_high), Vector256.Create(size));
        var i = 0;
        for (; i + 8 <= length; i += 8)
        {
            (Avx.RoundToNearestInteger(Vector256.Min(Vector256.Max(Vector256.Load(x + i) / s, low), high)) * s).Store(y + i);
        }

        for (; i < length; i++)
        {
            y[i] = MathF.Round(Math.Clamp(x[i] / size, _low, _high)) * size;
        }
    }
}
