using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Tests.Passes;
using Build.ML.Graph.Text;

namespace Build.ML.Graph.Tests.Text;

public sealed class TextFormTests
{
    private const string Example = """
        <ir_version: 8, opset_import: ["": 17, "local": 1]>
        main (float[N,3] x, bool[] "which way") => (float[N,2] y)
        <float[3,2] w = {1.5, 2.0, 3.0, 4.0, -5.0, nan}, int64[2] "odd name" = {1, -1}>
        {
          h = MatMul(x, w)
          [first] a = LeakyRelu<alpha = 0.5>(h)
          b = If<then_branch = yes () => (t)
          {
            t = Identity(a)
          }, else_branch = no () => (e)
          {
            e = Clip(h, , a)
          }>("which way")
          y = local.Twice<times = 2>(b)
        }
        <domain: "local", opset_import: ["": 17]>
        Twice <times> (p) => (q)
        {
          q = Concat<axis: int = @times>(p, p)
        }

        """;

    [Fact]
    public void A_parsed_text_is_written_the_same()
    {
        using var model = ModelText.Parse(Example);

        Assert.Equal(Example, model.ToText());
        Assert.Equal(4, model.Graph.NodeCount);
        Assert.Same(model.Graph.Find("a"), model.Graph.Nodes.ElementAt(2).Subgraphs.First().FirstNode!.Input(0));
        Assert.Equal("first", model.Graph.Nodes.ElementAt(1).Name);
    }

    [Theory]
    [InlineData("g (float[2] x) => (y) {\n  y = Relu(z)\n}", "text(2,12)", "'z' is read before anything makes it")]
    [InlineData("g (float[2] x) => (y) {\n  x = Relu(x)\n}", "text(2,3)", "'x' is made twice")]
    [InlineData("g (float[2] x) => (y) {\n  y = Relu x\n}", "text(2,12)", "Expected '(', found 'x'")]
    [InlineData("g (float[2] x) => (y)\n<float[2] w = {1.0}> { }", "text(2,11)", "float[2] has 2 elements, found 1")]
    [InlineData("g (float[2] x) => (y) {\n", "text(2,1)", "Expected an output, found the end of the text")]
    [InlineData("g (float[2] x) => (y) { y = \"Relu(x) }", "text(1,29)", "does not end on its line")]
    [InlineData("<opsets: 1> g () => () { }", "text(1,2)", "'opsets' is no key here")]
    public void A_mistake_is_a_diagnostic_at_its_line_and_column(string text, string place, string message)
    {
        var error = Assert.Single(Assert.Throws<DiagnosticException>(() => ModelText.Parse(text)).Diagnostics);

        Assert.Equal("BML2130", error.Code);
        Assert.Equal(place, error.Location!.ToString());
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void Conformance_models_survive_text_and_back_and_compute_the_same()
    {
        var (wrong, parsed, ran) = (new List<string>(), 0, 0);
        foreach (var path in OnnxTestData.AllModels())
        {
            using var model = Model.Open(path);
            var text = model.ToText(int.MaxValue);
            if (text.Contains("{…}", StringComparison.Ordinal))
            {
                continue; // sparse tensors, lists of types
            }

            using var copy = ModelText.Parse(text, path);
            parsed++;
            if (copy.ToText(int.MaxValue) != text)
            {
                wrong.Add($"{path}: another text");
            }

            if (parsed % 4 != 0 || TensorFiles.Feeds(model, Path.Combine(Path.GetDirectoryName(path)!, "test_data_set_0")) is not { } feeds
                || PassesKeepOutputs.Run(model, feeds) is not { } before)
            {
                continue;
            }

            ran++;
            var after = PassesKeepOutputs.Run(copy, feeds);
            for (var i = 0; i < before.Length; i++)
            {
                if ((after is { } outputs ? TensorComparison.Difference(before[i], outputs[i]) : "refused by ONNX Runtime") is { } difference)
                {
                    wrong.Add($"{path}: {difference}");
                }
            }
        }

        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
        Assert.True(parsed > 1050 && ran > 200, $"{parsed} parsed, {ran} run");
    }
}
