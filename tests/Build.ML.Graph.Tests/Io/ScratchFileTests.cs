using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Tests.Io;

public sealed class ScratchFileTests : IDisposable
{
    readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Contents_are_read_back_wherever_they_lie_in_the_file()
    {
        var scratch = new ScratchFile(folder.FullPath);
        int[] lengths = [0, 1, 4_097, 65_535, 65_536, 3_000_001]; // read, mapped
        var contents = lengths.Select(l => scratch.Append(Bytes(l))).ToList();
        Assert.Equal(lengths.Sum(), scratch.Length);
        for (var i = 0; i < lengths.Length; i++)
        {
            using var view = contents[i].Open();
            Assert.Equal(Bytes(lengths[i]), view.Slice(0, lengths[i]).ToArray());
            using var copy = new MemoryStream();
            contents[i].CopyTo(copy);
            Assert.Equal(Bytes(lengths[i]), copy.ToArray());
        }
    }

    [Fact]
    public void A_model_of_scratch_contents_is_saved_after_theirfolder_is_gone()
    {
        var scratchFolder = Path.GetDirectoryName(folder.PathOf("scratch/file"))!;
        var scratch = new ScratchFile(scratchFolder);
        using var model = new Model(new OnnxGraph("scratch"), 17) { IrVersion = 8 };
        model.Graph.AddInitializer("large", new Tensor(DataType.UInt8, [3_000_001], scratch.Append(Bytes(3_000_001))));
        model.Graph.AddInitializer("small", new Tensor(DataType.UInt8, [5_000], scratch.Append(Bytes(5_000))));
        if (!OperatingSystem.IsWindows())
        {
            Assert.Empty(Directory.EnumerateFileSystemEntries(scratchFolder)); // a killed process leaves nothing
            Directory.Delete(scratchFolder);
        }

        var path = folder.PathOf("model.onnx");
        model.Save(path);
        using var read = Model.Open(path);
        Assert.Equal(Bytes(3_000_001), read.Graph.Find("large")!.Initializer!.ToArray<byte>());
        Assert.Equal(Bytes(5_000), read.Graph.Find("small")!.Initializer!.ToArray<byte>());
    }

    [Fact]
    public void A_closed_file_is_no_more()
    {
        var scratch = new ScratchFile(folder.FullPath);
        var content = scratch.Append(Bytes(100_000));
        scratch.Close();
        Assert.Throws<ObjectDisposedException>(() => content.Open());
        Assert.Empty(Directory.EnumerateFileSystemEntries(folder.FullPath));
    }

    private static byte[] Bytes(int length)
    {
        var bytes = new byte[length];
        new Random(length).NextBytes(bytes);
        return bytes;
    }
}
