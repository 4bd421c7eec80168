using Build.ML.Graph.Diagnostics;

namespace Build.ML.Graph.Tests.Io;

public sealed class MalformedFileTests
{
    [Fact]
    public void Every_truncation_is_an_error_or_a_whole_model()
    {
        var bytes = OnnxSample.Rich();
        for (var length = 0; length < bytes.Length; length++)
        {
            try
            {
                using var model = Model.Load(bytes.AsMemory(0, length));
                Assert.Equal(length, model.ToBytes().Length); // cut between two fields of the model
            }
            catch (DiagnosticException e)
            {
                // Functions cut off leave their domain, imports cut off leave nothing unresolved: only the wire may be broken.
                Assert.All(e.Diagnostics, d => Assert.True(d.Code is "BML2002" or "BML2004", d.ToString()));
            }
        }
    }

    [Fact]
    public void A_length_beyond_the_file_names_the_place()
    {
        var graph = new ProtoMessage().Text(2, "main").Tag(1, 2).Raw(1UL << 40);

        var error = Fails(OnnxSample.Model(graph).ToArray(), "BML2002");

        Assert.Contains("graph 'main'", error.Message, StringComparison.Ordinal);
        Assert.Contains("1099511627776", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Deep_nesting_is_refused()
    {
        var graph = new ProtoMessage().Text(2, "leaf");
        for (var i = 0; i < 2000; i++)
            graph = new ProtoMessage().Message(1, OnnxSample.Node("If", [], [], "n", OnnxSample.Attribute("then_branch", 5, a => a.Message(6, graph))));

        Fails(OnnxSample.Model(graph).ToArray(), "BML2003");
    }

    [Fact]
    public void Deeply_nested_types_are_refused()
    {
        var type = new ProtoMessage().Message(1, new ProtoMessage().Varint(1, 1));
        for (var i = 0; i < 5000; i++)
            type = new ProtoMessage().Message(4, new ProtoMessage().Message(1, type));

        Fails(OnnxSample.Model(new ProtoMessage().Message(11, new ProtoMessage().Text(1, "x").Message(2, type))).ToArray(), "BML2003");
    }

    [Theory]
    [InlineData("BML2008", 1, 8, 3L)] // 12 bytes wanted, 8 there
    [InlineData("BML2007", 1, 8, -1L)]
    [InlineData("BML2007", 1, 8, long.MaxValue, 2L)]
    [InlineData("BML2007", 11, 8, long.MaxValue)] // the count fits, the bytes do not
    [InlineData("BML2006", 0, 8, 2L)]
    [InlineData("BML2006", 99, 8, 2L)]
    [InlineData("BML2008", 1, 8, 1L << 40)] // must not be allocated
    public void A_tensor_whose_sizes_do_not_fit_its_data_is_refused(string code, int type, int bytes, params long[] sizes)
    {
        var error = Fails(OnnxSample.Model(new ProtoMessage().Text(2, "g").Message(5, OnnxSample.RawTensor("weight", type, new byte[bytes], sizes))).ToArray(), code);

        Assert.Contains("graph 'g'", error.Message, StringComparison.Ordinal);
        Assert.Contains("'weight'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Elements_in_the_wrong_field_are_refused()
    {
        Fails(Graph(new ProtoMessage().Message(5, new ProtoMessage().Varints(1, 1).Varint(2, 1).Packed(5, 1).Text(8, "w"))), "BML2008");
        Fails(Graph(new ProtoMessage().Message(5, new ProtoMessage().Varints(1, 1).Varint(2, 1).PackedFloats(4, 1).Text(8, "w").Bytes(9, new byte[4]))), "BML2008");
        Fails(Graph(new ProtoMessage().Message(5, new ProtoMessage().Varints(1, 1).Varint(2, 8).Text(8, "w").Bytes(9, new byte[4]))), "BML2008");
    }

    [Fact]
    public void All_unresolved_and_repeated_names_are_told_at_once()
    {
        var graph = new ProtoMessage().Text(2, "g")
            .Message(1, OnnxSample.Node("Add", ["x", "nowhere"], ["y"], "first"))
            .Message(1, OnnxSample.Node("Add", ["x", "nor_here"], ["y"], "second"))
            .Message(11, OnnxSample.TensorValue("x", 1)).Message(11, OnnxSample.TensorValue("x", 1)).Message(12, OnnxSample.TensorValue("z", 1));

        var error = Assert.Throws<DiagnosticException>(() => Model.Load(OnnxSample.Model(graph).ToArray()));

        Assert.Equal(["BML2013", "BML2013", "BML2014", "BML2014", "BML2014"], error.Diagnostics.Select(d => d.Code).Order());
        foreach (var name in new[] { "nowhere", "nor_here", "'y'", "'x'", "'z'", "'first'", "'second'" })
            Assert.Contains(name, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_subgraph_must_not_read_what_another_one_gives()
    {
        var branch = new ProtoMessage().Message(1, OnnxSample.Node("Constant", [], ["inner"])).Text(2, "then").Message(12, OnnxSample.TensorValue("inner", 1));
        var graph = new ProtoMessage().Text(2, "g")
            .Message(1, OnnxSample.Node("If", ["c"], ["y"], "if", OnnxSample.Attribute("then_branch", 5, a => a.Message(6, branch))))
            .Message(1, OnnxSample.Node("Neg", ["inner"], ["z"], "neg")).Message(11, OnnxSample.TensorValue("c", 9));

        Assert.Contains("Neg 'neg' reads 'inner'", Fails(OnnxSample.Model(graph).ToArray(), "BML2014").Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_cycle_names_its_nodes_and_no_others()
    {
        var graph = new ProtoMessage().Text(2, "g")
            .Message(1, OnnxSample.Node("Add", ["x", "b"], ["a"], "one")).Message(1, OnnxSample.Node("Neg", ["a"], ["b"], "two"))
            .Message(1, OnnxSample.Node("Neg", ["b"], ["c"], "behind")).Message(11, OnnxSample.TensorValue("x", 1));

        var error = Assert.Throws<DiagnosticException>(() => Model.Load(OnnxSample.Model(graph).ToArray()));

        Assert.Equal(["BML2015", "BML2015"], error.Diagnostics.Select(d => d.Code));
        Assert.DoesNotContain("behind", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_cycle_through_a_subgraph_is_found()
    {
        var branch = new ProtoMessage().Message(1, OnnxSample.Node("Neg", ["y"], ["inner"])).Message(12, OnnxSample.TensorValue("inner", 1));
        var graph = new ProtoMessage().Text(2, "g").Message(11, OnnxSample.TensorValue("c", 9))
            .Message(1, OnnxSample.Node("If", ["c"], ["y"], "if", OnnxSample.Attribute("then_branch", 5, a => a.Message(6, branch))));

        Fails(OnnxSample.Model(graph).ToArray(), "BML2015");
    }

    [Fact]
    public void Nodes_in_another_order_are_accepted_and_can_be_sorted()
    {
        var graph = new ProtoMessage().Text(2, "g")
            .Message(1, OnnxSample.Node("Neg", ["a"], ["b"], "second")).Message(1, OnnxSample.Node("Neg", ["x"], ["a"], "first"))
            .Message(11, OnnxSample.TensorValue("x", 1)).Message(12, OnnxSample.TensorValue("b", 1));
        using var model = Model.Load(OnnxSample.Model(graph).ToArray());
        Assert.Equal(["BML2032"], model.Validate().Select(d => d.Code));

        model.Graph.SortTopologically();

        Assert.Equal(["first", "second"], model.AllNodes.Select(n => n.Name));
        Assert.Empty(model.Validate());
    }

    [Theory]
    [InlineData(4, 1)] // says tensor, holds an int
    [InlineData(5, 1)]
    [InlineData(6, 1)]
    [InlineData(99, 1)]
    [InlineData(4, 0)] // says tensor, holds nothing
    [InlineData(2, 2)] // an int and a string
    public void An_attribute_without_the_value_it_says_is_refused(int kind, int content)
    {
        var attribute = OnnxSample.Attribute("axis", kind, a =>
        {
            if (content > 0)
                a.Varint(3, 1);
            if (content > 1)
                a.Text(4, "s");
        });

        var error = Fails(Graph(new ProtoMessage().Message(1, OnnxSample.Node("Concat", [], ["y"], "concat", attribute))), "BML2016");

        Assert.Contains("Concat 'concat'", error.Message, StringComparison.Ordinal);
        Assert.Contains("'axis'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_attribute_given_twice_is_refused() => Fails(
        Graph(new ProtoMessage().Message(1, OnnxSample.Node("Concat", [], ["y"], "", OnnxSample.Attribute("axis", 2, a => a.Varint(3, 1)), OnnxSample.Attribute("axis", 2, a => a.Varint(3, 2))))),
        "BML2017");

    [Fact]
    public void Text_that_is_not_UTF8_is_refused() => Fails(Graph(new ProtoMessage().Bytes(2, [0xC3, 0x28])), "BML2005");

    [Fact]
    public void What_is_no_ONNX_file_is_refused()
    {
        Fails([], "BML2004");
        Fails("#!/bin/sh\necho hello, this is text\n"u8.ToArray(), "BML2002");
        Fails([0x80], "BML2002");
    }

    [Fact]
    public void Files_that_cannot_be_read_are_refused()
    {
        using var folder = new TemporaryFolder();
        var missing = folder.PathOf("missing.onnx");
        var empty = folder.Write("empty.onnx", "");

        foreach (var path in new[] { missing, empty, folder.FullPath, folder.PathOf("no/such/folder.onnx") })
        {
            var error = Assert.Throws<DiagnosticException>(() => Model.Open(path));
            Assert.Equal(path, Assert.Single(error.Diagnostics).Location!.File);
            Assert.Equal("BML2001", error.Diagnostics[0].Code);
        }
    }

    [Fact]
    public void A_file_that_shrinks_under_an_open_model_is_an_error_and_no_crash()
    {
        using var folder = new TemporaryFolder();
        var path = folder.PathOf("m.onnx");
        using (var made = Model.Load(OnnxSample.Add()))
        {
            made.Graph.AddInitializer("t", Tensors.Tensor.Of(new float[1 << 18], 1 << 18));
            made.Save(path);
        }

        using var model = Model.Open(path);
        using (var file = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
            file.SetLength(100_000);

        var error = Assert.Throws<DiagnosticException>(() => model.Graph.Find("t")!.Initializer!.ToArray<float>());
        Assert.Equal("BML2002", error.Diagnostics[0].Code);
        Assert.Throws<DiagnosticException>(() => model.ToBytes());
    }

    static byte[] Graph(ProtoMessage graph) => OnnxSample.Model(graph).ToArray();

    static Diagnostic Fails(byte[] bytes, string code)
    {
        var error = Assert.Throws<DiagnosticException>(() => Model.Load(bytes));
        var diagnostic = Assert.Single(error.Diagnostics);
        Assert.Equal(code, diagnostic.Code);
        return diagnostic;
    }
}
