using System.Collections.Immutable;
using Build.ML.Graph.Passes;
using Build.ML.Graph.Tensors;
using Build.ML.Graph.Text;

namespace Build.ML.Graph.Tests.Passes;

/// <summary>What each pass does, and what it must leave, on small models; ONNX Runtime computes the same before and after.</summary>
public sealed class PassTests
{
    /// <summary>Weights rounded once more to float: relative 2⁻²⁴ per product, a few products per output.</summary>
    private const double Rounding = 2e-6;

    private const string Norm = "float[2] gamma = {1.5, -0.5}, float[2] beta = {0.1, 0.2}, float[2] mean = {0.3, -0.4}, float[2] var = {1.2, 0.7}";

    [Theory]
    [InlineData(
        "m (float[1,1,4,4] x) => (float[1,2,3,3] y) <float[2,1,2,2] w = {1, -2, 3, 4, 5, 6, 7, -8}, " + Norm + "> { c = Conv(x, w) y = BatchNormalization(c, gamma, beta, mean, var) }",
        "Conv")]
    [InlineData(
        "m (float[1,2,3,3] x) => (float[1,2,4,4] y) <float[2,1,2,2] w = {1, -2, 3, 4, 5, 6, 7, -8}, float[2] b = {1, 2}, " + Norm
        + "> { c = ConvTranspose<group = 2>(x, w, b) y = BatchNormalization(c, gamma, beta, mean, var) }",
        "ConvTranspose")]
    [InlineData(
        "m (float[3,3] x) => (float[3,2] y) <float[2,3] w = {1, -2, 3, 4, 5, 6}, float[1] b = {0.5}, " + Norm
        + "> { c = Gemm<transB = 1, alpha = 2.0>(x, w, b) y = BatchNormalization(c, gamma, beta, mean, var) }",
        "Gemm")]
    public void Batch_norm_folds_into_the_layer_before_it(string text, string left) => Check(new FoldBatchNorm(), text, left);

    [Theory]
    [InlineData(
        "m (float[1,1,4,4] x) => (y, c) <float[2,1,2,2] w = {1, -2, 3, 4, 5, 6, 7, -8}, " + Norm + "> { c = Conv(x, w) y = BatchNormalization(c, gamma, beta, mean, var) }")]
    [InlineData(
        "m (float[1,1,4,4] x, float[2] gamma) => (y) <float[2,1,2,2] w = {1, -2, 3, 4, 5, 6, 7, -8}, " + Norm
        + "> { c = Conv(x, w) y = BatchNormalization(c, gamma, beta, mean, var) }")]
    [InlineData(
        "m (float[1,1,4,4] x) => (y, z) <float[2,1,2,2] w = {1, -2, 3, 4, 5, 6, 7, -8}, " + Norm
        + "> { c = Conv(x, w) z = Conv(x, w) y = BatchNormalization(c, gamma, beta, mean, var) }")]
    public void Batch_norm_stays_where_its_input_its_numbers_or_the_weights_are_used_otherwise(string text)
    {
        using var model = ModelText.Parse(text);
        Assert.Equal(0, new FoldBatchNorm().Run(model));
        Assert.Equal(ModelText.Parse(text).ToText(), model.ToText());
    }

    [Theory]
    [InlineData("m (float[2,3] x) => (float[2,2] y) <float[3,2] w = {1, 2, 3, 4, 5, 6}, float[2] s = {2, 3}> { c = MatMul(x, w) y = Mul(s, c) }", "MatMul")]
    [InlineData("m (float[2,3] x) => (float[2,2] y) <float[3,2] w = {1, 2, 3, 4, 5, 6}, float[1,2] s = {2, 3}> { c = Gemm(x, w) y = Sub(s, c) }", "Gemm")]
    [InlineData(
        "m (float[1,1,2,2] x) => (float[1,2,2,2] y) <float[2,1,1,1] w = {1, 2}, float[2,1,1] s = {2, 3}, float[] t = {4}> { c = Conv(x, w) d = Div(c, s) y = Add(d, t) }",
        "Conv")]
    public void A_scale_or_offset_per_channel_folds_into_the_layer_before_it(string text, string left) => Check(new FuseScaleIntoLinear(), text, left);

    [Theory]
    [InlineData("m (float[1,2,4,4] x) => (float[1,1,3,3] y) <float[1,2,2,2] w = {1, -2, 3, 4, 5, 6, 7, -8}, float[1] s = {0.5}, float[] t = {4}> { d = Mul(s, x) e = Add(d, t) y = Conv(e, w) }", "Conv")]
    [InlineData("m (float[1,2,4,4] x) => (float[1,2,3,3] y) <float[2,1,2,2] w = {1, -2, 3, 4, 5, 6, 7, -8}, float[2] b = {1, 2}, float[2,1,1] s = {0.5, 3}, float[1,2,1,1] t = {4, 5}> { d = Add(x, t) e = Mul(d, s) y = Conv<group = 2>(e, w, b) }", "Conv")]
    [InlineData("m (float[1,2,2,2] x) => (float[1,2,3,3] y) <float[2,1,2,2] w = {1, -2, 3, 4, 5, 6, 7, -8}, float[2,1,1] s = {0.5, 3}, float[] t = {4}> { d = Mul(x, s) e = Add(d, t) y = Conv<group = 2, pads = [1, 1, 1, 1]>(e, w) }", "Add Conv")] // zeros of the padding get no offset
    public void A_scale_or_offset_folds_into_the_convolution_after_it(string text, string left) => Check(new FuseScaleIntoNextConv(), text, left);

    [Theory]
    [InlineData("m (float[1,2,2,2] x) => (y) <float[1,2,1,1] w = {1, 2}, float[2] s = {2, 3}> { c = Mul(x, s) y = Conv(c, w) }")] // per column
    [InlineData("m (float[1,2,2,2] x) => (y, c) <float[1,2,1,1] w = {1, 2}, float[] s = {2}> { c = Mul(x, s) y = Conv(c, w) }")] // also returned
    [InlineData("m (float[1,2,2,2] x) => (y) <float[1,2,1,1] w = {1, 2}, float[] t = {2}> { c = Add(x, t) y = Conv<pads = [0, 0, 1, 1]>(c, w) }")] // padded
    public void What_is_no_scale_of_the_convolutions_input_stays(string text)
    {
        using var model = ModelText.Parse(text);
        Assert.Equal(0, new FuseScaleIntoNextConv().Run(model));
        Assert.Equal(ModelText.Parse(text).ToText(), model.ToText());
    }

    [Theory]
    [InlineData("m (float[2,3] x) => (y) <float[3,2] w = {1, 2, 3, 4, 5, 6}, float[2,1] s = {2, 3}> { c = MatMul(x, w) y = Mul(c, s) }")] // per row
    [InlineData("m (float[1,1,2,2] x) => (y) <float[2,1,1,1] w = {1, 2}, float[2] s = {2, 3}> { c = Conv(x, w) y = Mul(c, s) }")] // per column
    [InlineData("m (float[1,1,2,2] x) => (y) <float[2,1,1,1] w = {1, 2}, float[1,1,1,1,1] s = {2}> { c = Conv(x, w) y = Mul(c, s) }")] // adds a dimension
    [InlineData("m (float[2,3] x) => (y) <float[3,2] w = {1, 2, 3, 4, 5, 6}, float[] s = {2}> { c = MatMul(x, w) y = Div(s, c) }")] // a reciprocal
    public void What_is_no_scale_per_channel_stays(string text)
    {
        using var model = ModelText.Parse(text);
        Assert.Equal(0, new FuseScaleIntoLinear().Run(model));
    }

    [Theory]
    [InlineData("m (float[2,3,4] x) => (float[4,2,3] y) { a = Transpose<perm = [1, 0, 2]>(x) y = Transpose<perm = [2, 1, 0]>(a) }", "Transpose")]
    [InlineData("m (float[2,3] x) => (float[6] y) <int64[1] s = {6}> { a = Flatten<axis = 0>(x) y = Reshape(a, s) }", "Reshape")]
    public void Two_moves_in_a_row_become_one(string text, string left) => Check(new MergeTransposes(), text, left);

    [Theory]
    [InlineData("m (float[2,3] x) => (y) { a = Add(x, x) b = Identity(a) c = Dropout(b) d = Cast<to = 1>(c) e = Transpose<perm = [0, 1]>(d) y = Relu(e) }", "Add Relu")]
    [InlineData("m (float[2,3] x) => (y) <int64[2] s = {2, -1}> { a = Relu(x) y = Reshape(a, s) }", "Relu")]
    [InlineData("m (float[2,3] x) => (y) { y = Identity(x) }", "Identity")]
    [InlineData("m (float[2,3] x) => (y, z) { y = Relu(x) z = Identity(y) }", "Relu Identity")]
    public void A_node_that_yields_its_input_goes_unless_it_names_an_output(string text, string left) => Check(new RemoveIdentity(), text, left, mayBeUnchanged: true);

    [Fact]
    public void Shape_arithmetic_on_static_dimensions_folds_and_on_symbols_stays()
    {
        const string Text = """
            m (float[ROWS,6] x) => (y) <int64[1] zero = {0}, int64[2] rest = {3, -1}>
            { s = Shape(x) n = Gather(s, zero) t = Concat<axis = 0>(n, rest) y = Reshape(x, t) }
            """;
        Check(new FoldConstants(), Text.Replace("ROWS", "2", StringComparison.Ordinal), "Reshape");
        using var symbolic = ModelText.Parse(Text.Replace("ROWS", "N", StringComparison.Ordinal));
        Assert.Equal(0, new FoldConstants().Run(symbolic));
    }

    [Fact]
    public void Folding_stops_where_the_model_would_grow()
    {
        using var model = ModelText.Parse("m () => (y) <int64[1] n = {1000000}> { a = ConstantOfShape(n) y = Relu(a) }");
        Assert.Equal(0, new FoldConstants().Run(model));
        Assert.Equal(1, new FoldConstants { MaxGrowth = 4_000_000 }.Run(model));
    }

    [Fact]
    public void A_value_that_only_a_subgraph_reads_is_alive()
    {
        using var model = ModelText.Parse(
            "m (bool[] c, float[2] x) => (y) <float[2] w = {1, 2}> { a = Add(x, w) dead = Relu(a) y = If<then_branch = t () => (r) { r = Neg(a) }, else_branch = e () => (s) { s = Abs(x) }>(c) }");

        Assert.Equal(1, new RemoveDeadNodes().Run(model));
        Assert.Equal(0, new RemoveUnusedInitializers().Run(model));
        Assert.Equal(["Add", "If"], model.Graph.Nodes.Select(n => n.OpType));
    }

    [Fact]
    public void Equal_initializers_and_equal_nodes_become_one()
    {
        const string Text = "m (float[2] x) => (y) <float[2] a = {1, 2}, float[2] b = {1, 2}, float[2] c = {1, 3}> { p = Add(x, a) q = Add(x, b) r = Add(x, c) s = Sum(p, q, r) y = Relu(s) }";
        using var model = ModelText.Parse(Text);
        Assert.Equal(1, new MergeDuplicateInitializers().Run(model));
        Assert.Equal(1, new EliminateCommonSubexpressions().Run(model));
        Assert.Equal("Add Add Sum Relu", string.Join(' ', model.Graph.Nodes.Select(n => n.OpType)));
        Compare(Text, model);
    }

    [Theory]
    [InlineData(7, "y = Upsample<mode = \"nearest\", scales = [1.0, 1.0, 2.0, 2.0]>(x)")]
    [InlineData(7, "a = Clip<min = -0.5, max = 0.5>(x) b = Pad<pads = [0, 0, 1, 1, 0, 0, 1, 1], value = 1.5>(a) y = Slice<axes = [2], starts = [1], ends = [-1]>(b)")]
    [InlineData(9, "y = Softmax(x)")]
    [InlineData(9, "y = Softmax<axis = 3>(x)")]
    [InlineData(9, "a, b = Split<axis = 2>(x) c = ReduceMean<axes = [3], keepdims = 0>(a) d = Unsqueeze<axes = [0]>(c) e = Squeeze<axes = [0]>(d) y = ReduceSum<axes = [1]>(e)")]
    [InlineData(9, "y, i = TopK<k = 2>(x)")]
    [InlineData(9, "a = Dropout<ratio = 0.3>(x) y = LogSoftmax<axis = 2>(a)")]
    public void An_upgraded_operator_computes_the_same(long opset, string nodes)
    {
        var text = $"<ir_version: 4, opset_import: [\"\": {opset}]> m (float[1,2,4,4] x) => (y) {{ {nodes} }}";
        using var model = ModelText.Parse(text);
        new UpgradeOpset { Version = 21 }.Run(model);
        Assert.Equal(21, model.Opset);
        Compare(text, model);
    }

    private static void Check(IGraphPass pass, string text, string left, bool mayBeUnchanged = false)
    {
        using var model = ModelText.Parse(text);
        var changes = pass.Run(model);
        Assert.True(changes > 0 || mayBeUnchanged);
        new RemoveDeadNodes().Run(model);
        Assert.Equal(left, string.Join(' ', model.Graph.Nodes.Select(n => n.OpType)));
        Compare(text, model);
        Assert.Equal(0, pass.Run(model));
    }

    private static void Compare(string text, Model changed)
    {
        using var original = ModelText.Parse(text);
        Assert.Equal(original.Graph.Outputs.Select(o => o.Name), changed.Graph.Outputs.Select(o => o.Name));
        var random = new Random(5);
        var feeds = ImmutableArray.CreateBuilder<KeyValuePair<string, Tensor>>();
        foreach (var input in original.Graph.Inputs)
        {
            var sizes = input.Shape!.ToSizes()!;
            var values = Enumerable.Range(0, (int)sizes.Aggregate(1L, (a, b) => a * b)).Select(_ => (float)(random.NextDouble() * 4 - 2)).ToArray();
            feeds.Add(new(input.Name, new Tensor(DataType.Float, sizes, Tensor.Of(values, values.Length).Content)));
        }

        var before = PassesKeepOutputs.Run(original, feeds.ToImmutable(), evenRandom: true);
        var after = PassesKeepOutputs.Run(changed, feeds.ToImmutable(), evenRandom: true);
        Assert.True(before.HasValue && after.HasValue, "ONNX Runtime refuses the model");
        foreach (var (a, b) in before.Value.Zip(after.Value))
        {
            Assert.Null(TensorComparison.Difference(a, b, Rounding));
        }
    }
}
