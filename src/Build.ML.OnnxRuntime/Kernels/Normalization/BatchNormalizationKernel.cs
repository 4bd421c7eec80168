namespace Build.ML.OnnxRuntime.Kernels.Normalization;

/// <summary>
/// Batch normalization by the batch's own statistics. Inputs X [N, C, …], scale [C], bias [C]; attribute epsilon; outputs Y, mean [C], variance [C] (of all elements, centred), inverse
/// deviation 1/√(variance + epsilon) [C].
/// </summary>
[RuntimeKernel("BatchNormalization")]
internal sealed unsafe class BatchNormalizationKernel : RuntimeKernel
{
    private float _epsilon;

    /// <inheritdoc/>
    public override int Inputs => 3;

    /// <inheritdoc/>
    public override int Outputs => 4;

    /// <inheritdoc/>
    public override void Initialize(KernelAttributes attributes) => _epsilon = attributes.Float("epsilon", 1e-5f);

    /// <inheritdoc/>
    public override void Run(KernelCall call)
    {
        var input = call.Input(0);
        var (batch, channels, plane) = (input[0], input[1], (int)input.Product(2, input.Rank));
        var x = input.Data;
        var scale = call.Input(1).Data;
        var bias = call.Input(2).Data;
        var y = call.Output(0, input.Sizes());
        var means = call.Output(1, channels);
        var variances = call.Output(2, channels);
        var inverses = call.Output(3, channels);
        var (count, parts, step) = ((double)batch * plane, Math.Min(channels, 16), (long)channels * plane);
        call.Parallel(parts, part =>
        {
            for (var c = channels * part / parts; c < channels * (part + 1) / parts; c++)
            {
                var first = x + ((long)c * plane);
                double sum = 0, squares = 0;
                for (var n = 0; n < batch; n++)
                {
                    sum += ChannelSums.Sum(first + (n * step), plane);
                }

                var mean = (float)(sum / count);
                for (var n = 0; n < batch; n++)
                {
                    squares += ChannelSums.SquaredDistance(first + (n * step), mean, plane);
                }

                var variance = (float)(squares / count);
                var inverse = 1 / MathF.Sqrt(variance + _epsilon);
                for (var n = 0; n < batch; n++)
                {
                    ChannelSums.Normalize(first + (n * step), y + ((long)c * plane) + (n * step), mean, scale[c] * inverse, bias[c], plane);
                }

                means[c] = mean;
                variances[c] = variance;
                inverses[c] = inverse;
            }
        });
    }
}
