using System.IO.Compression;
using System.Text;
using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.References;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Data.Tests;

public sealed class ReaderTests : IDisposable
{
    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    FileReference Put(string name, params IEnumerable<byte> bytes)
    {
        var path = _folder.PathOf(name);
        File.WriteAllBytes(path, [.. bytes]);
        return new FileReference(path);
    }

    FileReference Text(string name, string text) => new(_folder.Write(name, text));

    static float[] Floats(DataSet data, int index) => data[index].Inputs[0].Value.ToArray<float>();

    static Diagnostic Refused(Func<object> act) => Assert.Single(Assert.Throws<DiagnosticException>(act).Diagnostics);

    static byte[] Npy(string descr, string shape, byte[] data, string order = "False")
    {
        var header = $"{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n";
        return [0x93, .. "NUMPY"u8, 1, 0, (byte)header.Length, (byte)(header.Length >> 8), .. Encoding.ASCII.GetBytes(header), .. data];
    }

    static byte[] Idx(byte type, int[] sizes, byte[] data) =>
        [0, 0, type, (byte)sizes.Length, .. sizes.SelectMany(s => new[] { (byte)(s >> 24), (byte)(s >> 16), (byte)(s >> 8), (byte)s }), .. data];

    static byte[] Gzip(byte[] data)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Optimal))
            gzip.Write(data);
        return packed.ToArray();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Idx_images_are_normalized_and_labelled(bool packed)
    {
        var images = Idx(8, [2, 1, 2], [0, 51, 102, 255]);
        var labels = Idx(8, [2], [7, 3]);
        var data = new IdxReader().Read(new()
        {
            Images = Put("i", packed ? Gzip(images) : images),
            Labels = Put("l", packed ? Gzip(labels) : labels),
            Mean = [0.2],
            Std = [0.5],
            Channels = 3,
        });
        Assert.Equal(2, data.Count);
        Assert.Equal([3L, 1, 2], data[1].Inputs[0].Value.Sizes.AsEnumerable());
        float[] expected = [0.4f, 1.6f]; // (102/255 − 0.2)/0.5, (1 − 0.2)/0.5
        Assert.Equal(expected.Concat(expected).Concat(expected), Floats(data, 1));
        Assert.Equal([7L, 3L], new[] { data[0].Label.Class, data[1].Label.Class }.Select(c => c!.Value));
    }

    [Fact]
    public void Idx_samples_take_the_shape_asked_for()
    {
        var images = Put("i", Idx(8, [1, 2, 3], [1, 2, 3, 4, 5, 6]));
        Assert.Equal([6L], new IdxReader().Read(new() { Images = images, Shape = [6] })[0].Inputs[0].Value.Sizes.AsEnumerable());
        Assert.Equal("BML5204", Refused(() => new IdxReader().Read(new() { Images = images, Shape = [5] })).Code);
    }

    [Fact]
    public void Broken_idx_files_say_where_and_what()
    {
        var bad = Refused(() => new IdxReader().Read(new() { Images = Put("i", Idx(8, [2, 1, 2], [0, 51, 102])) }));
        Assert.Equal("BML5202", bad.Code);
        Assert.Contains("a file of 19 bytes, expected 20", bad.Message);
        Assert.Contains("At byte 2", Refused(() => new IdxReader().Read(new() { Images = Put("t", Idx(0x0a, [1], [0])) })).Message);
        Assert.Equal("BML5202", Refused(() => new IdxReader().Read(new() { Images = Put("o", Idx(8, [-1, -1, -1], [])) })).Code);
        Assert.Equal("BML5201", Refused(() => new IdxReader().Read(new() { Images = new("/no/such/file") })).Code);
        Assert.Equal("BML5203", Refused(() => new IdxReader().Read(new()
        {
            Images = Put("i", Idx(8, [2, 1, 1], [0, 1])),
            Labels = Put("l", Idx(8, [1], [0])),
        })).Code);
    }

    [Fact]
    public void Cifar_records_are_planes_after_their_labels()
    {
        var planes = Enumerable.Range(0, 3072).Select(i => (byte)(i / 1024 * 100)).ToArray();
        var data = new CifarReader().Read(new() { File = Put("c", [4, 9, .. planes]), LabelBytes = 2, Scale = 1, Layout = Images.Layout.Nhwc });
        Assert.Equal(9, data[0].Label.Class);
        Assert.Equal([0f, 100f, 200f], Floats(data, 0)[^3..]);
        Assert.Contains("3073", Refused(() => new CifarReader().Read(new() { File = Put("c", [4, 9, .. planes]) })).Message);
    }

    [Theory]
    [InlineData("<f4", DataType.Float, new byte[] { 0, 0, 128, 63, 0, 0, 0, 64 }, new byte[] { 0, 0, 0, 64 })]
    [InlineData(">i2", DataType.Int16, new byte[] { 0, 1, 1, 2 }, new byte[] { 2, 1 })]
    [InlineData("|b1", DataType.Bool, new byte[] { 0, 1 }, new byte[] { 1 })]
    [InlineData("<f2", DataType.Float16, new byte[] { 0, 60, 0, 64 }, new byte[] { 0, 64 })]
    public void Npy_elements_keep_type_and_value(string descr, DataType type, byte[] bytes, byte[] second)
    {
        var sample = new NpyReader().Read(new() { Inputs = Put("x.npy", Npy(descr, "(2, 1)", bytes)), Input = "in" })[1];
        Assert.Equal("in", sample.Inputs[0].Key);
        Assert.Equal(type, sample.Inputs[0].Value.Type);
        Assert.Equal([1L], sample.Inputs[0].Value.Sizes.AsEnumerable());
        Assert.Equal(second, sample.Inputs[0].Value.ToArray<byte>());
    }

    [Fact]
    public void Npy_labels_are_classes_texts_or_targets_by_their_type()
    {
        var inputs = Put("x.npy", Npy("<f4", "(1, 1)", new byte[4]));
        Label With(byte[] labels) => new NpyReader().Read(new() { Inputs = inputs, Labels = Put("y.npy", labels) })[0].Label;
        Assert.Equal(-2, With(Npy("<i8", "(1,)", BitConverter.GetBytes(-2L))).Class);
        Assert.Equal("é", With(Npy("<U2", "(1,)", [0xe9, 0, 0, 0, 0, 0, 0, 0])).Text);
        Assert.Equal([2f], With(Npy("<f4", "(1, 1)", BitConverter.GetBytes(2f))).Target!.ToArray<float>());
        Assert.Equal("BML5203", Refused(() => With(Npy("<i8", "(2,)", new byte[16]))).Code);
    }

    [Fact]
    public void Npz_arrays_feed_the_inputs_of_their_names()
    {
        using (var stream = File.Create(_folder.PathOf("x.npz")))
        using (var zip = new ZipArchive(stream, ZipArchiveMode.Create))
            foreach (var (name, bytes) in new[]
            {
                ("mask.npy", Npy("<i8", "(2,)", new byte[16])), ("ids.npy", Npy("<i8", "(2, 3)", new byte[48])), ("labels.npy", Npy("|u1", "(2,)", [5, 6])),
            })
            {
                using var entry = zip.CreateEntry(name).Open();
                entry.Write(bytes);
            }

        var data = new NpyReader().Read(new() { Inputs = new(_folder.PathOf("x.npz")) });
        Assert.Equal(["ids", "mask"], data[1].Inputs.Select(i => i.Key));
        Assert.Equal(6, data[1].Label.Class);
        Assert.Equal(["int64[2,3]", "int64[2]"], data.Batches(8).Single().Inputs.Select(i => i.Value.ToString()));

        // A whole input is not stacked, and samples with one come alone.
        var whole = new NpyReader().Read(new() { Inputs = new(_folder.PathOf("x.npz")), Whole = ["mask"] });
        Assert.Equal(["int64[1,3]", "int64[]"], whole.Batches(8).First().Inputs.Select(i => i.Value.ToString()));
        Assert.Equal(2, whole.Batches(8).Count());
        Assert.Contains("'speed'", Refused(() => new NpyReader().Read(new() { Inputs = new(_folder.PathOf("x.npz")), Whole = ["speed"] })).Message);
    }

    [Fact]
    public void Broken_npy_files_say_what_is_wrong()
    {
        Diagnostic Read(byte[] bytes) => Refused(() => new NpyReader().Read(new() { Inputs = Put("x.npy", bytes) }));
        Assert.Contains("magic", Read([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]).Message);
        Assert.Contains("magic", Read([]).Message);
        Assert.Contains("fortran_order", Read(Npy("<f4", "(2, 2)", new byte[16], "True")).Message);
        Assert.Contains("element type '<c8'", Read(Npy("<c8", "(1,)", new byte[8])).Message);
        Assert.Contains("expected", Read(Npy("<f4", "(9999999,)", new byte[4])).Message);
        Assert.Equal("BML5202", Read(Npy("<f4", "(1,)", new byte[4])[..12]).Code);
    }

    [Fact]
    public void Csv_columns_become_features_in_the_order_named()
    {
        var file = Text("d.csv", "id;b;\"a\";kind\r\n1;2,5;1.5;0\r\n2;x;-2e1;1\r\n".Replace("2,5", "2.5").Replace("x", "4"));
        var data = new CsvReader().Read(new() { File = file, Delimiter = ";", Features = ["a", "b"], Label = "kind", Scale = 2, Shape = [2, 1] });
        Assert.Equal([3f, 5f], Floats(data, 0));
        Assert.Equal([-40f, 8f], Floats(data, 1));
        Assert.Equal([2L, 1], data[0].Inputs[0].Value.Sizes.AsEnumerable());
        Assert.Equal(1, data[1].Label.Class);
        Assert.Equal([1f, 2.5f, 1.5f], Floats(new CsvReader().Read(new() { File = file, Delimiter = ";", Text = "kind" }), 0));
    }

    [Fact]
    public void Every_bad_csv_field_is_reported_with_its_line()
    {
        var error = Assert.Throws<DiagnosticException>(
            () => new CsvReader().Read(new() { File = Text("d.csv", "a,\"b\nc\",y\n1,2,0\n\nx,2,0\n3,4,q\n"), Label = "y" }));
        Assert.Equal(["BML5202", "BML5202"], error.Diagnostics.Select(d => d.Code));
        Assert.Equal([5, 6], error.Diagnostics.Select(d => d.Location!.Line)); // the header takes two lines, an empty one is passed over
        Assert.Contains("'x' in column 'a'", error.Diagnostics[0].Message);
    }

    [Theory]
    [InlineData("a,b\n1,2\n3\n", 3, "1 fields")]
    [InlineData("a,b\n1,\"2\n", 2, "inside quotes")]
    [InlineData("a,b\n1,2\"3\n", 2, "a quote inside")]
    [InlineData("a,b\n1,\"2\"3\n", 2, "text after a closing quote")]
    [InlineData("", 1, "an empty file")]
    public void Malformed_csv_is_refused_at_its_line(string text, int line, string words)
    {
        var error = Refused(() => new CsvReader().Read(new() { File = Text("d.csv", text) }));
        Assert.Equal(("BML5202", line), (error.Code, error.Location!.Line));
        Assert.Contains(words, error.Message);
    }

    [Fact]
    public void A_column_that_is_not_there_is_named_with_those_that_are() =>
        Assert.Contains("No column is named 'z'; the columns are a, b", Refused(
            () => new CsvReader().Read(new() { File = Text("d.csv", "a,b\n1,2"), Features = ["z"] })).Message);

    [Theory]
    [InlineData("[{\"ids\":[5,6],\"spam\":true},{\"ids\":[7,8,9],\"spam\":0}]")]
    [InlineData("{\"ids\":[5,6],\"spam\":1}\n{\"ids\":[7,8,9],\"spam\":false}\n")]
    public void Tokens_are_cut_padded_and_masked(string text)
    {
        var data = new TokensReader().Read(new() { File = Text("t", text), Label = "spam", MaxLength = 2, PadTo = 4, PadId = 1, Mask = "mask" });
        Assert.Equal([7L, 8, 1, 1], data[1].Inputs[0].Value.ToArray<long>());
        Assert.Equal([1L, 1, 0, 0], data[1].Inputs[1].Value.ToArray<long>());
        Assert.Equal([1L, 0L], new[] { 0, 1 }.Select(i => data[i].Label.Class!.Value));
    }

    [Fact]
    public void Bad_tokens_are_reported_with_their_lines()
    {
        var error = Assert.Throws<DiagnosticException>(() => new TokensReader().Read(new() { File = Text("t", "{\"ids\":[1]}\n{\"ids\":[1.5]}\n{\"x\":0}\n") }));
        Assert.Equal([2, 3], error.Diagnostics.Select(d => d.Location!.Line));
        var broken = Refused(() => new TokensReader().Read(new() { File = Text("t", "{\"ids\":[1]}\n{\"ids\":[1,]}\n") }));
        Assert.Equal(("BML5202", 2), (broken.Code, broken.Location!.Line));
    }

    [Fact]
    public void Batches_stack_samples_of_one_shape()
    {
        var data = new TokensReader().Read(new() { File = Text("t", "{\"ids\":[1,2]}{\"ids\":[3,4]}{\"ids\":[5]}") });
        Assert.Equal(["int64[2,2]", "int64[1,1]"], data.Batches(8).Select(b => b.Inputs[0].Value.ToString()));
    }
}
