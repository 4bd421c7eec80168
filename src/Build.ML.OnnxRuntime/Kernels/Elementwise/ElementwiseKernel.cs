namespace Build.ML.OnnxRuntime.Kernels.Elementwise;

/// <summary>A kernel of two inputs of equal sizes whose output has them too, element by element.</summary>
internal abstract unsafe class ElementwiseKernel : RuntimeKernel
{
    // Elements of a part: 64 KB in each tensor, little enough to share out evenly and enough to be worth a thread's while.
    private const long PartLength = 16 << 10;

    /// <inheritdoc/>
    public sealed override int Inputs => 2;

    /// <inheritdoc/>
    public sealed override void Run(KernelCall call)
    {
        var input = call.Input(1);
        var g = call.Input(0).Data;
        var x = input.Data;
        var d = call.Output(0, input.Sizes());
        var count = input.Count;
        call.Parallel((int)Math.Max(1, (count + PartLength - 1) / PartLength), part =>
        {
            var start = part * PartLength;
            Compute(g + start, x + start, d + start, (int)Math.Min(PartLength, count - start));
        });
    }

    /// <summary>Computes a part.</summary>
    /// <param name="g">First input.</param>
    /// <param name="x">Second input.</param>
    /// <param name="d">Output.</param>
    /// <param name="length">Number of elements.</param>
    protected abstract void Compute(float* g, float* x, float* d, int length);
}
