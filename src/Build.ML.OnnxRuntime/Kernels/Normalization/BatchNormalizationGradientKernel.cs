namespace Build.ML.OnnxRuntime.Kernels.Normalization;

/// <summary>
/// The gradient of <see cref="BatchNormalizationKernel"/>. Inputs dL/dY, X, scale, mean, inverse deviation v; outputs dL/dX, dL/dscale, dL/dbias. With m elements in a channel:
/// dx = scale·v·(g − Σg/m − (x − mean)·v²·Σg·(x − mean)/m), dscale = v·Σg·(x − mean), dbias = Σg.
/// </summary>
[RuntimeKernel("BatchNormalizationGradient")]
internal sealed unsafe class BatchNormalizationGradientKernel : RuntimeKernel
{
    /// <inheritdoc/>
    public override int Inputs => 5;

    /// <inheritdoc/>
    public override int Outputs => 3;

    /// <inheritdoc/>
    public override void Run(KernelCall call)
    {
        var input = call.Input(1);
        var (batch, channels, plane) = (input[0], input[1], (int)input.Product(2, input.Rank));
        var g = call.Input(0).Data;
        var x = input.Data;
        var scale = call.Input(2).Data;
        var means = call.Input(3).Data;
        var inverses = call.Input(4).Data;
        var d = call.Output(0, input.Sizes());
        var ofScale = call.Output(1, channels);
        var ofBias = call.Output(2, channels);
        var (count, parts, step) = ((double)batch * plane, Math.Min(channels, 16), (long)channels * plane);
        call.Parallel(parts, part =>
        {
            for (var c = channels * part / parts; c < channels * (part + 1) / parts; c++)
            {
                var first = (long)c * plane;
                var (mean, inverse) = (means[c], inverses[c]);
                double sum = 0, product = 0;
                for (var n = 0; n < batch; n++)
                {
                    var (s, p) = ChannelSums.WithProduct(g + first + (n * step), x + first + (n * step), mean, plane);
                    sum += s;
                    product += p;
                }

                var slope = scale[c] * inverse;
                var (ofDistance, constant) = ((float)(-slope * (double)inverse * inverse * product / count), (float)(-slope * sum / count));
                for (var n = 0; n < batch; n++)
                {
                    ChannelSums.Combine(g + first + (n * step), x + first + (n * step), d + first + (n * step), mean, slope, ofDistance, constant, plane);
                }

                ofScale[c] = (float)(product * inverse);
                ofBias[c] = (float)sum;
            }
        });
    }
}
