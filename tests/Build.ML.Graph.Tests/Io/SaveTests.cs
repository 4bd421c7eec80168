using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Tests.Io;

public sealed class SaveTests : IDisposable
{
    readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void A_model_can_be_saved_over_the_file_it_was_opened_from()
    {
        var path = WriteLarge();
        using (var model = Model.Open(path))
        {
            model.Graph.Find("y")!.Producer!.Name = "renamed";
            model.Save(path);
            model.Save(path);
            Assert.Equal(5f, model.Graph.Find("large")!.Initializer!.ToArray<float>()[5]);
        }

        using var read = Model.Open(path);
        Assert.Equal("renamed", read.AllNodes.Single().Name);
        Assert.Equal(5f, read.Graph.Find("large")!.Initializer!.ToArray<float>()[5]);
        Assert.Equal([path], Directory.GetFiles(folder.FullPath));
    }

    [Fact]
    public void A_save_that_fails_leaves_the_old_file_and_nothing_else()
    {
        var path = WriteLarge();
        var before = File.ReadAllBytes(path);
        using var model = Model.Open(path);
        model.Graph.AddInitializer("broken", new Tensor(DataType.UInt8, [4], new ComputedContent(4, () => throw new IOException("no more"))));

        var error = Assert.Throws<DiagnosticException>(() => model.Save(path));

        Assert.Equal("BML2018", error.Diagnostics[0].Code);
        Assert.Contains("no more", error.Message, StringComparison.Ordinal);
        Assert.Equal(before, File.ReadAllBytes(path));
        Assert.Equal([path], Directory.GetFiles(folder.FullPath));
    }

    [Fact]
    public void A_save_with_external_data_that_fails_leaves_both_old_files()
    {
        var path = folder.PathOf("m.onnx");
        var options = new SaveOptions { ExternalData = ExternalData.Always };
        using (var model = Model.Open(WriteLarge()))
            model.Save(path, options);
        var (before, dataBefore) = (File.ReadAllBytes(path), File.ReadAllBytes(path + ".data"));
        File.Delete(path);
        Directory.CreateDirectory(path); // the last step, renaming the model, fails
        using (var model = Model.Open(WriteLarge()))
        {
            model.Graph.AddInitializer("more", Tensor.Of(new float[1000], 1000));
            Assert.Equal("BML2018", Assert.Throws<DiagnosticException>(() => model.Save(path, options)).Diagnostics[0].Code);
        }

        Directory.Delete(path);
        File.WriteAllBytes(path, before);
        Assert.Equal(dataBefore, File.ReadAllBytes(path + ".data"));
        Assert.Equal(3, Directory.GetFiles(folder.FullPath).Length); // large, m, m.data
    }

    [Fact]
    public void A_cancelled_save_leaves_the_old_file_and_nothing_else()
    {
        var path = WriteLarge();
        var before = File.ReadAllBytes(path);
        using var model = Model.Open(path);
        using var cancellation = new CancellationTokenSource();
        model.Graph.AddInitializer("last", new Tensor(DataType.UInt8, [4], new ComputedContent(4, () =>
        {
            cancellation.Cancel();
            return new byte[4];
        })));

        Assert.ThrowsAny<OperationCanceledException>(() => model.Save(path, new SaveOptions { Cancellation = cancellation.Token }));

        Assert.Equal(before, File.ReadAllBytes(path));
        Assert.Equal([path], Directory.GetFiles(folder.FullPath));
    }

    [Fact]
    public void Saving_into_a_missing_folder_is_an_error_that_names_the_file()
    {
        using var model = Model.Load(OnnxSample.Add());
        var path = Path.Combine(folder.FullPath, "none", "m.onnx");

        var error = Assert.Single(Assert.Throws<DiagnosticException>(() => model.Save(path)).Diagnostics);

        Assert.Equal("BML2018", error.Code);
        Assert.Equal(path, error.Location!.File);
    }

    [Fact]
    public void Computed_contents_are_asked_for_once_a_save_and_one_at_a_time()
    {
        var (asked, large) = (0, new byte[1 << 20]);
        using var model = Model.Load(OnnxSample.Add());
        for (var i = 0; i < 5; i++)
            model.Graph.AddInitializer("c" + i, new Tensor(DataType.UInt8, [large.Length], new ComputedContent(large.Length, () =>
            {
                asked++;
                return large;
            })));

        model.Save(folder.PathOf("m.onnx"));

        Assert.Equal(5, asked);
    }

    [Fact]
    public void A_computed_content_of_another_length_than_it_said_is_a_bug_of_its_author()
    {
        using var model = Model.Load(OnnxSample.Add());
        model.Graph.AddInitializer("c", new Tensor(DataType.UInt8, [4], new ComputedContent(4, () => new byte[5])));

        Assert.Throws<InvalidOperationException>(() => model.Save(folder.PathOf("m.onnx")));
        Assert.Empty(Directory.GetFiles(folder.FullPath));
    }

    [Fact]
    public void The_same_model_gives_the_same_bytes_each_time()
    {
        using var model = Model.Open(WriteLarge());
        using var again = Model.Open(WriteLarge());

        Assert.Equal(model.ToBytes(), again.ToBytes());
        model.Save(folder.PathOf("a.onnx"));
        Assert.Equal(model.ToBytes(), File.ReadAllBytes(folder.PathOf("a.onnx")));
    }

    [Fact]
    public void Opening_reads_headers_only()
    {
        var path = folder.PathOf("m.onnx");
        using (var made = Model.Load(OnnxSample.Add()))
        {
            for (var i = 0; i < 64; i++)
                made.Graph.AddInitializer("w" + i, new Tensor(DataType.UInt8, [1 << 20], new ComputedContent(1 << 20, () => new byte[1 << 20])));
            made.Save(path);
        }

        var before = GC.GetAllocatedBytesForCurrentThread();
        using var model = Model.Open(path);

        Assert.Equal(65, model.Graph.Initializers.Count);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20); // the file has 64 MB
    }

    [Fact]
    public void A_tensor_of_a_disposed_model_says_so()
    {
        var model = Model.Open(WriteLarge());
        model.Dispose();

        Assert.Throws<ObjectDisposedException>(() => model.Graph.Find("large")!.Initializer!.ToArray<float>());
    }

    string WriteLarge()
    {
        var path = folder.PathOf("large.onnx");
        using var model = Model.Load(OnnxSample.Add());
        model.Graph.AddInitializer("large", Tensor.Of(Enumerable.Range(0, 100_000).Select(i => (float)i).ToArray(), 100_000));
        model.Save(path);
        return path;
    }
}
