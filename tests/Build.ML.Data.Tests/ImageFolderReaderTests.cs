using System.IO.Compression;
using System.Text;
using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.References;
using Build.ML.Data.Images;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Data.Tests;

public sealed class ImageFolderReaderTests : IDisposable
{
    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<int, int, int, bool> PngForms()
    {
        var forms = new TheoryData<int, int, int, bool>();
        foreach (var (type, depth) in new[] { (0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (2, 8), (2, 16), (3, 1), (3, 2), (3, 4), (3, 8), (4, 8), (4, 16), (6, 8), (6, 16) })
            foreach (var interlaced in new[] { false, true })
                forms.Add(type, depth, ((type * 3) + depth) % 5, interlaced); // all filters occur among the forms
        return forms;
    }

    // Raw pixels: element = pixel.
    static ImageFolderReader.Options Raw(string path) => new() { Path = new FileReference(path), Scale = 1 };

    string Put(string name, byte[] bytes)
    {
        File.WriteAllBytes(_folder.PathOf(name), bytes);
        return _folder.FullPath;
    }

    static float[] Elements(DataSet data, int index = 0) => data[index].Inputs[0].Value.ToArray<float>();

    static Diagnostic Refused(Func<object> act) => Assert.Throws<DiagnosticException>(act).Diagnostics[0];

    [Theory]
    [MemberData(nameof(PngForms))]
    public void Every_png_form_decodes_to_its_pixels(int colourType, int depth, int filter, bool interlaced)
    {
        const int width = 11, height = 9; // odd sizes: every Adam7 pass has ends of its own
        var most = (1 << depth) - 1;

        // Pairs of rows with few values: there the predictor of filter 4 meets ties.
        int Sample(int x, int y, int c) => ((x * 7919) + (y * 104729) + (c * 1299709)) & (y % 4 < 2 ? most : most & 3);
        byte[]? palette = colourType == 3 ? [.. Enumerable.Range(0, 3 * (most + 1)).Select(i => (byte)(i * 37))] : null;
        var data = new ImageFolderReader().Read(
            Raw(Put("a.png", PngFile.Write(width, height, colourType, depth, Sample, filter, interlaced, palette))));

        int Expected(int x, int y, int c) => colourType switch
        {
            3 => palette![(Sample(x, y, 0) * 3) + c],
            0 or 4 => Byte(Sample(x, y, 0)),
            _ => Byte(Sample(x, y, c)),
        };
        int Byte(int value) => depth == 16 ? value >> 8 : value * 255 / most;
        Assert.Equal([3L, height, width], data[0].Inputs[0].Value.Sizes.AsEnumerable());
        Assert.Equal(
            from c in Enumerable.Range(0, 3) from y in Enumerable.Range(0, height) from x in Enumerable.Range(0, width) select (float)Expected(x, y, c),
            Elements(data));
    }

    [Fact]
    public void Damaged_pngs_end_in_a_diagnostic()
    {
        var good = PngFile.Write(9, 7, 2, 8, (x, y, c) => x + y + c, filter: 4);
        var random = new Random(3);
        for (var i = 0; i < 3000; i++)
        {
            var bytes = (byte[])good.Clone();
            for (var k = random.Next(1, 4); k > 0; k--)
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            if (i % 3 == 0)
                bytes = bytes[..random.Next(bytes.Length)];
            try
            {
                ImageDecoder.DecodeAny(bytes, "damaged.png");
            }
            catch (DiagnosticException e)
            {
                Assert.Contains(e.Diagnostics[0].Code, new[] { "BML5202", "BML5206" });
            }
        }
    }

    [Fact]
    public void A_png_that_claims_more_pixels_than_its_bytes_can_hold_is_refused()
    {
        var bytes = PngFile.Write(1, 1, 0, 8, (_, _, _) => 0);
        bytes[16] = 0x0f; // width 0x0f000001; the CRC no longer fits either, and is checked first
        Assert.Equal("BML5202", Refused(() => ImageDecoder.DecodeAny(bytes, "x.png")).Code);
        var huge = PngFile.Write(1, 1, 0, 1, (_, _, _) => 0).Length;
        Assert.Contains("pixels", Refused(() => ImageDecoder.DecodeAny("P5 60000 60000 255\n"u8.ToArray(), $"{huge}.pgm")).Message);
    }

    [Theory]
    [InlineData("P2\n# grey\n2 2\n4\n0 1\n2 4\n", new float[] { 0, 64, 128, 255 })]
    [InlineData("P5 2 2 255\n\u0001\u0002\u0003\u0004", new float[] { 1, 2, 3, 4 })]
    public void Netpbm_images_scale_to_255(string text, float[] expected)
    {
        var data = new ImageFolderReader().Read(Raw(Put("a.pgm", Encoding.Latin1.GetBytes(text))) with { Channels = 1 });
        Assert.Equal(expected, Elements(data));
    }

    [Theory]
    [InlineData(24, false)]
    [InlineData(32, true)]
    [InlineData(8, false)]
    public void Bitmaps_of_either_row_order_decode(int bits, bool topDown)
    {
        // 2 × 2: rows (1,2,3)(4,5,6) and (7,8,9)(10,11,12) as red, green, blue.
        byte[] palette = bits == 8 ? [3, 2, 1, 0, 6, 5, 4, 0, 9, 8, 7, 0, 12, 11, 10, 0] : [];
        byte[][] rows = bits switch
        {
            24 => [[3, 2, 1, 6, 5, 4, 0, 0], [9, 8, 7, 12, 11, 10, 0, 0]],
            32 => [[3, 2, 1, 0, 6, 5, 4, 0], [9, 8, 7, 0, 12, 11, 10, 0]],
            _ => [[0, 1, 0, 0], [2, 3, 0, 0]],
        };
        var header = new byte[54];
        "BM"u8.CopyTo(header);
        BitConverter.TryWriteBytes(header.AsSpan(10), 54 + palette.Length);
        BitConverter.TryWriteBytes(header.AsSpan(14), 40);
        BitConverter.TryWriteBytes(header.AsSpan(18), 2);
        BitConverter.TryWriteBytes(header.AsSpan(22), topDown ? -2 : 2);
        BitConverter.TryWriteBytes(header.AsSpan(28), (short)bits);
        BitConverter.TryWriteBytes(header.AsSpan(46), palette.Length / 4);
        var data = new ImageFolderReader().Read(
            Raw(Put("a.bmp", [.. header, .. palette, .. topDown ? rows[0] : rows[1], .. topDown ? rows[1] : rows[0]])) with { Layout = Layout.Nhwc });
        Assert.Equal(Enumerable.Range(1, 12).Select(i => (float)i), Elements(data));
    }

    [Fact]
    public void Sub_folders_are_classes_in_the_order_of_their_names()
    {
        foreach (var name in new[] { "dog/1.png", "cat/2.png", "cat/10.png" })
            Put(name, PngFile.Write(1, 1, 0, 8, (_, _, _) => 7));
        var data = new ImageFolderReader().Read(Raw(_folder.FullPath));
        Assert.Equal([0L, 0L, 1L], Enumerable.Range(0, 3).Select(i => data[i].Label.Class!.Value));
        Put("loose.png", PngFile.Write(1, 1, 0, 8, (_, _, _) => 7));
        Assert.Equal("BML5205", Refused(() => new ImageFolderReader().Read(Raw(_folder.FullPath))).Code);
    }

    [Fact]
    public void A_labels_file_gives_texts_in_its_order_from_folder_and_zip_alike()
    {
        Put("b.png", PngFile.Write(1, 1, 0, 8, (_, _, _) => 2));
        Put("a.png", PngFile.Write(1, 1, 0, 8, (_, _, _) => 1));
        _folder.Write("labels.csv", "file,text\nb.png,\"say \"\"hi\"\", you\"\na.png,two  words\n");
        var zip = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        ZipFile.CreateFromDirectory(_folder.FullPath, zip);
        try
        {
            foreach (var path in new[] { _folder.FullPath, zip })
            {
                var data = new ImageFolderReader().Read(Raw(path));
                Assert.Equal(["say \"hi\", you", "two  words"], Enumerable.Range(0, data.Count).Select(i => data[i].Label.Text));
                Assert.Equal([2f, 1f], Enumerable.Range(0, data.Count).Select(i => Elements(data, i)[0]));
                Parallel.For(0, 200, i => Assert.Equal(2f - (i % 2), Elements(data, i % 2)[0]));
            }
        }
        finally
        {
            File.Delete(zip);
        }
    }

    [Fact]
    public void Every_bad_line_of_a_labels_file_is_reported()
    {
        Put("a.png", PngFile.Write(1, 1, 0, 8, (_, _, _) => 1));
        var labels = _folder.Write("l.csv", "file,class\na.png,1\nmissing.png,2\na.png,x\n");
        var error = Assert.Throws<DiagnosticException>(
            () => new ImageFolderReader().Read(Raw(_folder.FullPath) with { Labels = new FileReference(labels) }));
        Assert.Equal(["BML5205", "BML5202"], error.Diagnostics.Select(d => d.Code));
        Assert.Equal([3, 4], error.Diagnostics.Select(d => d.Location!.Line));
    }

    [Fact]
    public void Resizing_keeps_the_aspect_pads_on_the_right_and_normalizes()
    {
        Put("a.png", PngFile.Write(3, 2, 2, 8, (_, _, c) => 100 * c)); // one colour: 0, 100, 200
        var data = new ImageFolderReader().Read(Raw(_folder.FullPath) with
        {
            Height = 5,
            WidthMultiple = 4,
            Order = ChannelOrder.Bgr,
            Scale = 0.01,
            Mean = [1],
            Std = [0.5, 1, 2],
            Padding = -9,
        });
        Assert.Equal([3L, 5, 8], data[0].Inputs[0].Value.Sizes.AsEnumerable()); // ⌈3·5/2⌉ = 8
        Assert.Equal([2f, 0f, -0.5f], new[] { 0, 40, 80 }.Select(i => Elements(data)[i])); // (2−1)/0.5, (1−1)/1, (0−1)/2
        var wide = new ImageFolderReader().Read(Raw(_folder.FullPath) with { MinWidth = 4, Padding = -9 });
        Assert.Equal([0f, 0f, 0f, -9f], Elements(wide)[..4]);
    }

    [Fact]
    public void Bilinear_resizing_interpolates_between_pixel_centres()
    {
        Put("a.png", PngFile.Write(2, 1, 0, 8, (x, _, _) => 100 * x));
        var data = new ImageFolderReader().Read(Raw(_folder.FullPath) with { Width = 4, Height = 1, Channels = 1 });
        Assert.Equal([0f, 25f, 75f, 100f], Elements(data)); // centres at −0.25 (clamped), 0.25, 0.75, 1.25 (clamped)
    }

    [Fact]
    public void Other_formats_are_refused_by_name()
    {
        var error = Refused(() => new ImageFolderReader().Read(Raw(Put("a.png", [0xff, 0xd8, 0xff, 0xe0])))[0]);
        Assert.Equal("BML5206", error.Code);
        Assert.Contains("JPEG", error.Message);
        Assert.EndsWith("a.png", error.Location!.File);
    }
}
