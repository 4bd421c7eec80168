using Build.ML.Graph.Diagnostics;

namespace Build.ML.Graph.Tests.Io;

public sealed class ExternalDataTests : IDisposable
{
    readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void External_data_is_read_at_its_offset()
    {
        Write("weights.bin", [9, 9, 9, 9, 0, 0, 128, 63, 0, 0, 0, 64]);
        using var model = Open(("location", "weights.bin"), ("offset", "4"), ("length", "8"));

        Assert.Equal([1f, 2f], model.Graph.Find("w")!.Initializer!.ToArray<float>());
    }

    [Fact]
    public void External_data_in_a_folder_below_is_read()
    {
        Write("sub/weights.bin", [0, 0, 128, 63, 0, 0, 0, 64]);
        using var model = Open(("location", "./sub/weights.bin"));

        Assert.Equal([1f, 2f], model.Graph.Find("w")!.Initializer!.ToArray<float>());
    }

    [Theory]
    [InlineData("BML2009", "../outside.bin")]
    [InlineData("BML2009", "sub/../../outside.bin")]
    [InlineData("BML2009", "sub/../inside.bin")]
    [InlineData("BML2009", "/etc/hostname")]
    [InlineData("BML2009", "C:\\windows\\win.ini")]
    [InlineData("BML2009", "..\\outside.bin")]
    [InlineData("BML2009", "")]
    [InlineData("BML2009", "sub/")]
    [InlineData("BML2009", "in\0side.bin")]
    [InlineData("BML2010", "missing.bin")]
    [InlineData("BML2010", "sub")]
    [InlineData("BML2010", "empty.bin")]
    public void A_location_that_is_no_file_in_the_models_folder_is_refused(string code, string location)
    {
        File.WriteAllBytes(folder.PathOf("outside.bin"), new byte[8]);
        Write("inside.bin", new byte[8]);
        Write("empty.bin", []);
        Directory.CreateDirectory(folder.PathOf("model/sub"));

        Fails(code, ("location", location));
    }

    [SkippableFact]
    public void A_link_out_of_the_models_folder_is_refused()
    {
        Skip.If(OperatingSystem.IsWindows(), "links need a privilege on Windows");
        Write("inside.bin", [0, 0, 128, 63, 0, 0, 0, 64]);
        File.WriteAllBytes(folder.PathOf("outside/secret.bin"), new byte[8]);
        File.CreateSymbolicLink(folder.PathOf("model/link.bin"), folder.PathOf("outside/secret.bin"));
        File.CreateSymbolicLink(folder.PathOf("model/relative.bin"), "../outside/secret.bin");
        File.CreateSymbolicLink(folder.PathOf("model/again.bin"), "link.bin");
        Directory.CreateSymbolicLink(folder.PathOf("model/sub"), folder.PathOf("outside"));
        File.CreateSymbolicLink(folder.PathOf("model/loop.bin"), "loop.bin");
        File.CreateSymbolicLink(folder.PathOf("model/alias.bin"), "inside.bin");

        foreach (var location in new[] { "link.bin", "relative.bin", "again.bin", "sub/secret.bin", "loop.bin" })
            Fails("BML2009", ("location", location));
        using var model = Open(("location", "alias.bin"));
        Assert.Equal([1f, 2f], model.Graph.Find("w")!.Initializer!.ToArray<float>());
    }

    [SkippableFact]
    public void A_pipe_or_device_is_refused_and_not_waited_for()
    {
        Skip.If(OperatingSystem.IsWindows(), "Windows has no named pipes in folders");
        Write("inside.bin", new byte[8]);
        System.Diagnostics.Process.Start("mkfifo", folder.PathOf("model/pipe")).WaitForExit();

        Fails("BML2010", ("location", "pipe"));
        Assert.Equal("BML2001", Assert.Throws<DiagnosticException>(() => Model.Open(folder.PathOf("model/pipe"))).Diagnostics[0].Code);
        Assert.Equal("BML2001", Assert.Throws<DiagnosticException>(() => Model.Open("/dev/zero")).Diagnostics[0].Code);
    }

    [Theory]
    [InlineData("offset", "5")]
    [InlineData("offset", "9223372036854775807")]
    [InlineData("offset", "-1")]
    [InlineData("offset", "99999999999999999999999")]
    [InlineData("offset", " 0")]
    [InlineData("length", "7")]
    [InlineData("length", "eight")]
    public void A_range_outside_the_file_or_other_than_the_tensors_is_refused(string key, string value)
    {
        Write("weights.bin", new byte[12]);

        Fails("BML2011", ("location", "weights.bin"), (key, value));
    }

    [Fact]
    public void A_model_in_memory_has_no_external_data()
    {
        Write("weights.bin", new byte[8]);
        var bytes = WithExternal(("location", "weights.bin"));

        Assert.Equal("BML2010", Assert.Throws<DiagnosticException>(() => Model.Load(bytes)).Diagnostics[0].Code);
        using var model = Model.Load(bytes, folder.PathOf("model"));
        Assert.Equal([0f, 0f], model.Graph.Find("w")!.Initializer!.ToArray<float>());
    }

    [Fact]
    public void A_model_saved_with_external_data_has_it_aligned_beside_it()
    {
        var path = folder.PathOf("m.onnx");
        var values = Enumerable.Range(0, 3000).Select(i => (float)i).ToArray();
        using (var model = Model.Load(OnnxSample.Add()))
        {
            model.Graph.AddInitializer("a", Tensors.Tensor.Of(values, 3000));
            model.Graph.AddInitializer("b", Tensors.Tensor.Of(values, 3, 1000));
            model.Save(path, new SaveOptions { ExternalData = ExternalData.Always });
        }

        Assert.Equal(12_288 + 12_000, new FileInfo(path + ".data").Length); // 12,000 rounded up to 3 × 4096
        using var read = Model.Open(path);
        Assert.Equal(values, read.Graph.Find("a")!.Initializer!.ToArray<float>());
        Assert.Equal(values, read.Graph.Find("b")!.Initializer!.ToArray<float>());
        Assert.Equal([1f, 2f], read.Graph.Find("w")!.Initializer!.ToArray<float>()); // below the threshold: in the model
        Assert.Empty(read.Validate());
        Assert.True(new FileInfo(path).Length < 1000);
    }

    [Fact]
    public void A_model_too_large_for_one_file_gets_external_data_by_itself()
    {
        var path = folder.PathOf("m.onnx");
        using (var model = Model.Load(OnnxSample.Add()))
        {
            model.Graph.AddInitializer("a", Tensors.Tensor.Of(new float[3000], 3000));
            model.Save(path, new SaveOptions { MaxFileLength = 10_000 });
            Assert.True(File.Exists(path + ".data"));
            model.Save(folder.PathOf("small.onnx"), new SaveOptions { MaxFileLength = 20_000 });
            Assert.False(File.Exists(folder.PathOf("small.onnx.data")));
        }
    }

    [Fact]
    public void External_data_stays_external_and_comes_inside_when_asked_to()
    {
        Write("weights.bin", [0, 0, 128, 63, 0, 0, 0, 64]);
        using var model = Open(("location", "weights.bin"));
        model.Save(folder.PathOf("out/m.onnx"));
        model.Save(folder.PathOf("out/inside.onnx"), new SaveOptions { ExternalData = ExternalData.Never });

        Assert.Equal(8, new FileInfo(folder.PathOf("out/m.onnx.data")).Length);
        foreach (var name in new[] { "out/m.onnx", "out/inside.onnx" })
        {
            using var read = Model.Open(folder.PathOf(name));
            Assert.Equal([1f, 2f], read.Graph.Find("w")!.Initializer!.ToArray<float>());
        }

        Assert.False(File.Exists(folder.PathOf("out/inside.onnx.data")));
        using var loaded = Model.Load(model.ToBytes());
        Assert.Equal([1f, 2f], loaded.Graph.Find("w")!.Initializer!.ToArray<float>());
    }

    [Fact]
    public void A_model_with_external_data_can_be_saved_over_itself()
    {
        var path = folder.PathOf("m.onnx");
        var options = new SaveOptions { ExternalData = ExternalData.Always };
        using (var model = Model.Load(OnnxSample.Add()))
        {
            model.Graph.AddInitializer("a", Tensors.Tensor.Of(Enumerable.Repeat(7f, 100_000).ToArray(), 100_000));
            model.Save(path, options);
        }

        using (var model = Model.Open(path))
        {
            model.Graph.AddInitializer("b", Tensors.Tensor.Of(Enumerable.Repeat(8f, 1000).ToArray(), 1000));
            model.Save(path, options);
            Assert.Equal(7f, model.Graph.Find("a")!.Initializer!.ToArray<float>()[^1]);
        }

        using var read = Model.Open(path);
        Assert.Equal(7f, read.Graph.Find("a")!.Initializer!.ToArray<float>()[^1]);
        Assert.Equal(8f, read.Graph.Find("b")!.Initializer!.ToArray<float>()[^1]);
        Assert.Equal(2, Directory.GetFiles(folder.FullPath).Length);
    }

    void Write(string name, byte[] bytes) => File.WriteAllBytes(folder.PathOf("model/" + name), bytes);

    static byte[] WithExternal(params (string Key, string Value)[] entries)
    {
        var tensor = new ProtoMessage().Varints(1, 2).Varint(2, 1).Text(8, "w");
        foreach (var (key, value) in entries)
            tensor.Message(13, new ProtoMessage().Text(1, key).Text(2, value));
        return OnnxSample.Model(new ProtoMessage().Text(2, "g").Message(5, tensor.Varint(14, 1))).ToArray();
    }

    Model Open(params (string Key, string Value)[] entries)
    {
        Write("m.onnx", WithExternal(entries));
        return Model.Open(folder.PathOf("model/m.onnx"));
    }

    void Fails(string code, params (string Key, string Value)[] entries)
    {
        var error = Assert.Single(Assert.Throws<DiagnosticException>(() => Open(entries)).Diagnostics);
        Assert.Equal(code, error.Code);
        Assert.Contains("initializer #0 'w'", error.Message, StringComparison.Ordinal);
        Assert.EndsWith("m.onnx", error.Location!.File, StringComparison.Ordinal);
    }
}
