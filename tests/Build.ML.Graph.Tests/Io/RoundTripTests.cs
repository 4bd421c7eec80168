using Build.ML.Graph.Diagnostics;

namespace Build.ML.Graph.Tests.Io;

public sealed class RoundTripTests
{
    [SkippableFact]
    public void Every_conformance_model_comes_out_byte_for_byte()
    {
        var models = OnnxTestData.AllModels();
        Assert.True(models.Count > 1000, $"{models.Count} models found");

        Assert.DoesNotContain(models, path =>
        {
            using var model = Model.Open(path);
            return !model.ToBytes().AsSpan().SequenceEqual(File.ReadAllBytes(path));
        });
    }

    [SkippableFact]
    public void Every_conformance_model_is_valid()
    {
        var violations = OnnxTestData.AllModels().SelectMany(path =>
        {
            using var model = Model.Open(path);
            return model.Validate();
        });

        Assert.Empty(violations);
    }

    [SkippableFact]
    public void A_copy_of_every_conformance_model_has_the_same_bytes_after_the_original_is_gone()
    {
        foreach (var path in OnnxTestData.AllModels())
        {
            var model = Model.Open(path);
            using var copy = model.Clone();
            model.Dispose();

            Assert.Equal(File.ReadAllBytes(path), copy.ToBytes());
        }
    }

    [Fact]
    public void A_model_with_something_of_everything_comes_out_byte_for_byte()
    {
        var bytes = OnnxSample.Rich();
        using var model = Model.Load(bytes);

        Assert.DoesNotContain(model.Validate(), v => v.Severity == Severity.Error);
        Assert.Equal(bytes, model.ToBytes());
    }

    [Fact]
    public void A_file_with_something_of_everything_comes_out_byte_for_byte()
    {
        using var folder = new TemporaryFolder();
        var bytes = OnnxSample.Rich();
        File.WriteAllBytes(folder.PathOf("a.onnx"), bytes);
        using (var model = Model.Open(folder.PathOf("a.onnx")))
            model.Save(folder.PathOf("b.onnx"));

        Assert.Equal(bytes, File.ReadAllBytes(folder.PathOf("b.onnx")));
        Assert.Equal(2, Directory.GetFiles(folder.FullPath).Length);
    }

    [Fact]
    public void A_copy_of_a_model_with_something_of_everything_is_the_same_and_independent()
    {
        var bytes = OnnxSample.Rich();
        using var model = Model.Load(bytes);
        using var copy = model.Clone();
        Assert.Equal(bytes, copy.ToBytes());

        foreach (var node in copy.AllNodes)
            node.Name += "_renamed";
        copy.Graph.Rename(copy.Graph.Find("sum")!, "total");
        copy.Functions.Clear();

        Assert.Equal(bytes, model.ToBytes());
        Assert.Equal("total", copy.AllNodes.Single(n => n.Name == "then_renamed").Inputs[0]!.Name);
    }

    [Fact]
    public void Fields_in_another_order_say_the_same()
    {
        // The graph's fields back to front, the node's too, numbers of the tensor one by one.
        var node = new ProtoMessage().Text(4, "Add").Texts(2, "y").Texts(1, "x", "w");
        var tensor = new ProtoMessage().Float(4, 1).Text(8, "w").Float(4, 2).Varint(2, 1).Packed(1, 2);
        var graph = new ProtoMessage().Message(12, OnnxSample.TensorValue("y", 1, 2)).Message(11, OnnxSample.TensorValue("x", 1, 2)).Message(5, tensor).Text(2, "g").Message(1, node);
        var file = new ProtoMessage().Message(8, new ProtoMessage().Varint(2, 21).Text(1, "")).Message(7, graph).Varint(1, 10).ToArray();
        using var model = Model.Load(file);
        using var again = Model.Load(model.ToBytes());

        foreach (var read in new[] { model, again })
        {
            var add = Assert.Single(read.AllNodes);
            Assert.Equal(["x", "w"], add.Inputs.Select(i => i!.Name));
            Assert.Equal([1f, 2f], add.Inputs[1]!.Initializer!.ToArray<float>());
            Assert.Equal(21, read.Opset);
            Assert.Equal(10, read.IrVersion);
        }

        Assert.Equal(file.Length, model.ToBytes().Length);
        Assert.Equal(model.ToBytes(), again.ToBytes());
    }

    [Fact]
    public void Removing_a_node_removes_what_the_file_said_about_its_output()
    {
        using var model = Model.Load(OnnxSample.Rich());
        var custom = model.AllNodes.Single(n => n.OpType == "Custom");
        model.Graph.Remove(custom);
        var sum = model.Graph.Find("sum")!;
        var add = sum.Producer!;
        model.Graph.Replace(sum, model.Graph.Find("x")!);
        model.Graph.Remove(add);
        using var copy = model.Clone();

        foreach (var edited in new[] { model, copy })
        {
            using var read = Model.Load(edited.ToBytes());
            Assert.DoesNotContain("SCALE_TENSOR", System.Text.Encoding.UTF8.GetString(edited.ToBytes()), StringComparison.Ordinal);
            Assert.Null(read.Graph.Find("sum"));
            Assert.DoesNotContain(read.Validate(), v => v.Severity == Severity.Error);
        }
    }

    [Fact]
    public void Types_found_since_reading_are_written()
    {
        using var model = Model.Load(OnnxSample.Rich());
        model.Graph.Find("chosen")!.Type = new TensorType(DataType.Float, Shape.Of(1, 2));
        model.Graph.Find("sum")!.Type = new TensorType(DataType.Float, Shape.Of(3, 2));
        using var read = Model.Load(model.ToBytes());

        Assert.Equal(Shape.Of(1, 2), read.Graph.Find("chosen")!.Shape);
        Assert.Equal(Shape.Of(3, 2), read.Graph.Find("sum")!.Shape);
    }
}
