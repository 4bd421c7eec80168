using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.OnnxRuntime;

namespace Build.ML.Calibration.Tests;

public sealed class Im2ColTests
{
    public static TheoryData<long[], long[], NodeAttribute[]> Geometries() => new()
    {
        { [2, 3, 7, 6], [4, 3, 3, 3], [NodeAttribute.Ints("pads", 1, 1, 1, 1)] },
        { [2, 4, 9, 8], [6, 2, 3, 2], [NodeAttribute.Int("group", 2), NodeAttribute.Ints("strides", 2, 3), NodeAttribute.Ints("pads", 0, 2, 1, 1)] },
        { [1, 4, 9, 11], [4, 1, 3, 3], [NodeAttribute.Int("group", 4), NodeAttribute.Ints("dilations", 2, 3), NodeAttribute.Ints("pads", 2, 3, 2, 3)] },
        { [2, 3, 7, 8], [2, 3, 3, 4], [NodeAttribute.String("auto_pad", "SAME_UPPER"), NodeAttribute.Ints("strides", 2, 2)] },
        { [2, 3, 7, 8], [2, 3, 3, 4], [NodeAttribute.String("auto_pad", "SAME_LOWER"), NodeAttribute.Ints("strides", 2, 2)] },
        { [2, 3, 7, 8], [2, 3, 3, 4], [NodeAttribute.String("auto_pad", "VALID")] },
        { [2, 3, 17], [5, 3, 4], [NodeAttribute.Ints("strides", 3), NodeAttribute.Ints("pads", 2, 1)] },
        { [2, 3, 2, 2], [2, 3, 5, 5], [NodeAttribute.Ints("pads", 4, 4, 4, 4), NodeAttribute.Ints("strides", 2, 1)] }, // some taps meet padding only
    };

    [Theory]
    [MemberData(nameof(Geometries))]
    public void Rows_times_the_weight_are_the_convolution(long[] input, long[] weight, NodeAttribute[] attributes)
    {
        using var model = Model(weight, attributes, input.Length);
        var conv = model.Graph.FirstNode!;
        var x = Numbers.Tensor(3, 1, input);
        using var session = new OnnxRuntimeInference().Open(model);
        var expected = session.Run([new("x", x)])[0];
        var rows = Im2Col.Of(conv, input);
        var (images, w) = (x.ToArray<float>(), conv.Inputs[1]!.Constant!.ToArray<float>());
        var outputs = (int)weight[0];
        var (actual, sums) = (new float[expected.Count], new double[rows.Columns]);
        var row = new float[rows.Columns];
        for (var n = 0; n < input[0]; n++)
        {
            var image = images.AsSpan(n * rows.ImageLength, rows.ImageLength);
            for (var m = 0; m < outputs; m++)
            {
                var group = m / (outputs / rows.Groups);
                for (var p = 0; p < rows.Positions; p++)
                {
                    rows.Row(image, group, p, row);
                    actual[(n * outputs + m) * rows.Positions + p] =
                        (float)Enumerable.Range(0, row.Length).Sum(k => (double)row[k] * w[m * rows.Columns + k]);
                }
            }
        }

        // Single precision sums of at most 100 products of order 1.
        Assert.Equal(expected.ToArray<float>(), actual, (a, b) => Math.Abs(a - b) < 1e-4);

        // The sums of rows, group by group, are those of the rows one by one.
        for (var g = 0; g < rows.Groups; g++)
        {
            Array.Clear(sums);
            rows.AddRows(images.AsSpan(0, rows.ImageLength), g, sums);
            var single = new double[rows.Columns];
            for (var p = 0; p < rows.Positions; p++)
            {
                rows.Row(images.AsSpan(0, rows.ImageLength), g, p, row);
                for (var k = 0; k < row.Length; k++)
                {
                    single[k] += row[k];
                }
            }

            Assert.Equal(single, sums, (a, b) => Math.Abs(a - b) < 1e-4);
        }
    }

    private static Model Model(long[] weight, NodeAttribute[] attributes, int rank)
    {
        var model = new Model(new OnnxGraph("conv"), 17) { IrVersion = 8 };
        var x = model.Graph.AddInput("x", new TensorType(DataType.Float, new Shape(Enumerable.Repeat(Dimension.Unknown, rank))));
        var y = model.Graph.Add("Conv", [x, model.Graph.AddInitializer("w", Numbers.Tensor(2, 1, weight))], "y", attributes);
        y.Type = new TensorType(DataType.Float);
        model.Graph.AddOutput(y);
        return model;
    }
}
