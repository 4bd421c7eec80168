using System.Collections.Immutable;
using System.Formats.Tar;
using System.IO.Compression;
using System.Text;
using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.References;
using Build.ML.Data.Texts;
using Build.ML.Data.Tokenizers;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Data.Tests;

public sealed class TextReaderTests : IDisposable
{
    static readonly Utf8Bytes Bytes = new() { Begin = "1", End = "2", Pad = "0" };

    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    FileReference Put(string name, string text) => Put(name, Encoding.UTF8.GetBytes(text));

    FileReference Put(string name, byte[] bytes)
    {
        var path = _folder.PathOf(name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, bytes);
        return new(path);
    }

    static IReadOnlyList<Diagnostic> Refused(Func<object> act) => Assert.Throws<DiagnosticException>(act).Diagnostics;

    static string TextOf(Sample sample) => Encoding.UTF8.GetString([.. sample.Inputs[0].Value.ToArray<long>().Where(i => i > 2).Select(i => (byte)i)]);

    [Fact]
    public void Texts_are_cut_or_filled_up_and_masked()
    {
        var data = new TextReader().Read(new() { Path = Put("t.txt", "abcdef\r\n\nxy\n"), Lines = true, Tokenizer = Bytes, Length = 5, Mask = "mask", TypeIds = "types" });
        Assert.Equal(2, data.Count);
        Assert.Equal([1L, 'a', 'b', 'c', 2], data[0].Inputs[0].Value.ToArray<long>());
        Assert.Equal([1L, 'x', 'y', 2, 0], data[1].Inputs[0].Value.ToArray<long>());
        Assert.Equal(["", "mask", "types"], data[1].Inputs.Select(i => i.Key));
        Assert.Equal([1L, 1, 1, 1, 0], data[1].Inputs[1].Value.ToArray<long>());
        Assert.Equal(new long[5], data[1].Inputs[2].Value.ToArray<long>());
        var ragged = new TextReader().Read(new() { Path = new(_folder.PathOf("t.txt")), Lines = true, Tokenizer = Bytes, Length = 5, Padding = false });
        Assert.Equal([4L], ragged[1].Inputs[0].Value.Sizes.AsEnumerable());
    }

    [Fact]
    public void Packed_samples_have_the_next_ids_as_targets()
    {
        Put("b/2.txt", "fgh");
        Put("b/1.txt", "abcde");
        var data = new TextReader().Read(new() { Path = new(_folder.PathOf("b")), Tokenizer = Bytes with { Begin = "" }, Length = 4, Pack = true, Input = "ids" });
        var stream = new long[] { 'a', 'b', 'c', 'd', 'e', 2, 'f', 'g', 'h', 2 };
        Assert.Equal(2, data.Count);
        Assert.Equal(stream[4..8], data[1].Inputs[0].Value.ToArray<long>());
        Assert.Equal(stream[5..9], data[1].Label.Target!.ToArray<long>());
        var few = Refused(() => new TextReader().Read(new() { Path = new(_folder.PathOf("b")), Tokenizer = Bytes, Length = 20, Pack = true }));
        Assert.Equal("BML5204", Assert.Single(few).Code);
    }

    [Theory]
    [InlineData("folder")]
    [InlineData("data.zip")]
    [InlineData("data.tar")]
    [InlineData("data.tgz")]
    public void Classes_are_globs_over_files_of_a_folder_or_archive(string name)
    {
        var files = new[] { "package/spam-1/1.txt", "package/ham-2/2.txt", "package/ham-1/3.txt", "package/ham-1/3.json", "package/readme.txt" };
        var path = _folder.PathOf(name);
        switch (name)
        {
            case "folder":
                foreach (var file in files)
                    Put("folder/" + file, file);
                break;
            case "data.zip":
                using (var zip = ZipFile.Open(path, ZipArchiveMode.Create))
                    foreach (var file in files)
                    {
                        using var entry = zip.CreateEntry(file).Open();
                        entry.Write(Encoding.UTF8.GetBytes(file));
                    }

                break;
            default:
                using (var stream = File.Create(path))
                using (var packed = name.EndsWith("tgz", StringComparison.Ordinal) ? new GZipStream(stream, CompressionLevel.Fastest) : (Stream)new BufferedStream(stream))
                using (var tar = new TarWriter(packed))
                    foreach (var file in files)
                        tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, file) { DataStream = new MemoryStream(Encoding.UTF8.GetBytes(file)) });
                break;
        }

        var data = new TextReader().Read(new()
        {
            Path = new(path),
            Tokenizer = Bytes,
            Include = ["*.txt"],
            Classes = new Dictionary<string, ImmutableArray<string>> { ["spam"] = ["*/spam-?/*"], ["ham"] = ["*/ham-1/*", "*/ham-2/*"] },
        });
        Assert.Equal([("package/ham-1/3.txt", 0L), ("package/ham-2/2.txt", 0L), ("package/spam-1/1.txt", 1L)], Enumerable.Range(0, data.Count).Select(i => (TextOf(data[i]), data[i].Label.Class!.Value)));

        var wrong = Refused(() => new TextReader().Read(new()
        {
            Path = new(path),
            Tokenizer = Bytes,
            Classes = new Dictionary<string, ImmutableArray<string>> { ["a"] = ["*ham-1*"], ["b"] = ["*1*"], ["c"] = ["nothing"] },
        }));
        Assert.Equal(["BML5205", "BML5205", "BML5205"], wrong.Select(d => d.Code));
    }

    [Fact]
    public void Folders_are_classes_where_none_are_written()
    {
        Put("d/pos/1.txt", "a");
        Put("d/neg/1.txt", "b");
        var data = new TextReader().Read(new() { Path = new(_folder.PathOf("d")), Tokenizer = Bytes });
        Assert.Equal([("b", 0L), ("a", 1L)], Enumerable.Range(0, 2).Select(i => (TextOf(data[i]), data[i].Label.Class!.Value)));
        Put("d/loose.txt", "c");
        Assert.Equal("BML5205", Assert.Single(Refused(() => new TextReader().Read(new() { Path = new(_folder.PathOf("d")), Tokenizer = Bytes }))).Code);
        Assert.Equal("BML5204", Assert.Single(Refused(() => new TextReader().Read(new() { Path = new(_folder.PathOf("d")), Tokenizer = Bytes, Include = ["*.md"] }))).Code);
    }

    [Fact]
    public void Bytes_that_are_no_utf8_are_named()
    {
        var file = Put("l.txt", [(byte)'a', 0xe9, (byte)'b']);
        var bad = Assert.Single(Refused(() => new TextReader().Read(new() { Path = file, Tokenizer = Bytes, Length = 8 })[0]));
        Assert.Equal("BML5202", bad.Code);
        Assert.Contains("At byte 1: found byte 0xe9", bad.Message);
        Assert.Equal("aéb", TextOf(new TextReader().Read(new() { Path = file, Tokenizer = Bytes, Length = 8, Encoding = TextReader.TextEncoding.Latin1 })[0]));
    }

    [Fact]
    public void A_special_token_that_the_vocabulary_lacks_is_named()
    {
        var lacking = Assert.Single(Refused(() => new TextReader().Read(new() { Path = Put("t.txt", "a"), Tokenizer = Bytes with { End = "[SEP]" } })));
        Assert.Equal("BML5204", lacking.Code);
        Assert.Contains("'[SEP]'", lacking.Message);
    }

    [Theory]
    [InlineData("Subject: Hi\r\n there\r\nX: y\r\n\r\nBody\r\n", "Hi there", "Body\r\n")]
    [InlineData("From a Thu\nSubject: =?iso-8859-1?Q?caf=E9_?= =?utf-8?B?w6k=?= x\n\nb", "café é x", "b")]
    [InlineData("Content-Type: text/html; charset=windows-1252\nContent-Transfer-Encoding: quoted-printable\n\n<style>x</style><p>10 =80 &amp;=\n more</p>", "", "  10 € & more ")]
    [InlineData("Content-Type: text/plain; charset=\"utf-8\"\nContent-Transfer-Encoding: base64\n\nw6nD\nqA==\n", "", "éè")]
    [InlineData(
        "Subject: m\nContent-Type: multipart/mixed;\n boundary=\"=_x\"\n\npreamble\n--=_x\nContent-Type: multipart/alternative; boundary=y\n\n--y\n\nplain\n--y\nContent-Type: text/html\n\n<b>html</b>\n--y--\n"
        + "--=_x\nContent-Type: image/png\n\nPNG\n--=_x\nContent-Type: message/rfc822\n\nSubject: inner\n\nforwarded\n--=_x--\nepilogue", "m", "plain\nforwarded")]
    [InlineData("Content-Type: text/plain; charset=no-such\n\nx", "", "x")]
    [InlineData("no headers at all", "", "")]
    public void Mails_are_what_a_reader_sees(string mail, string subject, string body)
    {
        var read = MailText.Of(Encoding.Latin1.GetBytes(mail));
        Assert.Equal((subject, body), (read.Subject, read.Body));
    }

    [Fact]
    public void A_mail_of_each_file_has_its_class()
    {
        Put("m/ham/1", "Subject: a\n\nb");
        Put("m/spam/1", "Subject: c\n\nd");
        var data = new MailReader().Read(new() { Path = new(_folder.PathOf("m")), Tokenizer = Bytes });
        Assert.Equal([("a\nb", 0L), ("c\nd", 1L)], Enumerable.Range(0, 2).Select(i => (TextOf(data[i]), data[i].Label.Class!.Value)));
        Assert.Equal("c", TextOf(new MailReader().Read(new() { Path = new(_folder.PathOf("m")), Tokenizer = Bytes, Body = false })[1]));
    }

    [Fact]
    public void Json_lines_are_tensors_texts_and_labels()
    {
        var file = Put("d.jsonl", "{\"x\": [[1, 2.5], [3, 4]], \"n\": 7, \"y\": \"b\", \"t\": [0.5]}\r\n\n{\"x\": [[5, 6], [7, 8]], \"n\": 9, \"y\": \"a\", \"t\": [1.5]}");
        var data = new JsonlReader().Read(new()
        {
            File = file,
            Fields = [new() { Name = "x", Input = "in", Shape = [4] }, new() { Name = "n", Input = "k", Type = JsonlReader.FieldType.Int64 }],
            Label = "y",
            Classes = ["a", "b"],
            Target = "t",
        });
        Assert.Equal([1, 2.5f, 3, 4], data[0].Inputs[0].Value.ToArray<float>());
        Assert.Equal(["float[4]", "int64[]"], data[0].Inputs.Select(i => i.Value.ToString()));
        Assert.Equal([9L], data[1].Inputs[1].Value.ToArray<long>());
        Assert.Equal((1, 0, 1.5f), (data[0].Label.Class, data[1].Label.Class, data[1].Label.Target!.ToArray<float>()[0]));
        Assert.Equal("float[2,2]", new JsonlReader().Read(new() { File = file, Fields = [new() { Name = "x" }] })[0].Inputs[0].Value.ToString());

        var texts = Put("t.jsonl", "{\"text\": \"héllo\", \"spam\": true}\n");
        var text = new JsonlReader().Read(new() { File = texts, Text = new() { Tokenizer = Bytes, Length = 12 }, Label = "spam", LabelText = "text" })[0];
        Assert.Equal(("héllo", 1, "héllo"), (TextOf(text), text.Label.Class, text.Label.Text));
    }

    [Fact]
    public void All_broken_json_lines_are_reported_at_once()
    {
        var file = Put("d.jsonl", "{\"x\": [1, [2]], \"y\": 1}\n{\"x\": [1\n{\"x\": [1, 2], \"y\": 1.5}\n[3]\n{\"x\": [1, 2], \"y\": 3}\n{\"x\": [1.5, 2], \"y\": 4}");
        var errors = Refused(() => new JsonlReader().Read(new() { File = file, Fields = [new() { Name = "x", Type = JsonlReader.FieldType.Int64 }], Label = "y" }));
        Assert.All(errors, e => Assert.Equal("BML5202", e.Code));
        Assert.Equal([1, 2, 3, 4, 4, 6], errors.Select(e => e.Location!.Line));
        Assert.Contains("Found 1.5 in 'y'", errors[2].Message);
        Assert.Contains("no field 'x'", errors[3].Message);
    }
}
