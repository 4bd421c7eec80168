using System.Runtime.Intrinsics;

namespace Build.ML.OnnxRuntime.Kernels.Elementwise;

/// <summary>The gradient where a bounded value is inside its bounds, else 0. Inputs dL/dY and Y; attributes low (default 0) and high (default: none), outside of which nothing passes.</summary>
[RuntimeKernel("ReluGradient")]
internal sealed unsafe class ReluGradientKernel : ElementwiseKernel
{
    private float _low;
    private float _high;

    /// <inheritdoc/>
    public override void Initialize(KernelAttributes attributes) =>
        (_low, _high) = (attributes.Float("low", 0), attributes.Float("high", float.PositiveInfinity));

    /// <inheritdoc/>
    protected override void Compute(float* g, float* x, float* d, int length)
    {
        var (low, high) = (Vector256.Create(_low), Vector256.Create(_high));
        var i = 0;
        for (; i + 8 <= length; i += 8)
        {
            var y = Vector256.Load(x + i);
            (Vector256.GreaterThan(y, low) & Vector256.LessThan(y, high) & Vector256.Load(g + i)).Store(d + i);
        }

        for (; i < length; i++)
        {
            d[i] = x[i] > _low && x[i] < _high ? g[i] : 0;
        }
    }
}
