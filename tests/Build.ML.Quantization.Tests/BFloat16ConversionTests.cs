using Build.ML.Graph;
using Build.ML.Graph.Tensors;
using Build.ML.Quantization.Float16;

namespace Build.ML.Quantization.Tests;

public sealed class BFloat16ConversionTests
{
    [Fact]
    public void Outputs_stay_near_those_of_the_float_model_and_no_cast_runs()
    {
        using var model = Models.Residual();
        var input = Numbers.Tensor(90, 1, 4, 3, 16, 16);
        var expected = Step.Run(model, input);
        new BFloat16Conversion().Apply(model, new(), Step.Context());

        // Rounding to 8 bits leaves noise of 2^-9/√3 relative at most, 59 dB at most per layer; five layers and their correlations cost some.
        Assert.InRange(Step.Sqnr(expected, Step.Run(model, input)), 42, 65);
        Assert.DoesNotContain(model.Graph.Initializers, i => i.Initializer!.Type == DataType.Float && i.Initializer.Count >= 64);
        Assert.DoesNotContain(new Build.ML.OnnxRuntime.OnnxRuntimeInference().Profile(model, [[new("", input)]]).Nodes, n => n.OpType == "Cast");
    }

    [Fact]
    public void Numbers_round_to_the_nearest_half_to_even_and_nan_stays_nan()
    {
        float[] values = [1, 1.00390625f, 1.01171875f, -3.14159f, float.NaN, float.PositiveInfinity, 1e-40f, 0];
        ushort[] expected = [0x3F80, 0x3F80, 0x3F82, 0xC049, 0x7FC0, 0x7F80, 0x0001, 0];
        var bits = new Tensor(DataType.BFloat16, [8], new BFloat16Content(Tensor.Of(values, 8))).ToArray<ushort>();
        Assert.Equal(expected[..4], bits[..4]);
        Assert.True((bits[4] & 0x7FFF) > 0x7F80);
        Assert.Equal(expected[5..], bits[5..]);
    }
}
