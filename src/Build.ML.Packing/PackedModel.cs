using System.IO.Compression;
using System.Security.Cryptography;
using Build.ML.Packing.Format;

namespace Build.ML.Packing;

/// <summary>
/// A packed ONNX model (.onnxz): weights entropy coded, everything else deflated. What comes out is the ONNX file bit by bit, for <c>new InferenceSession(PackedModel.Open(path))</c>.
/// <code>
/// magic "ONNXZ", version 1
/// length of the model, number of weights; for each: bytes between the one before and it, its bytes, its coded form as a block
/// length of the rest; the rest deflated, as a block: first the bytes between weights, then what the weights' symbols do not tell
/// first 16 bytes of SHA-256 of the model, first 8 bytes of SHA-256 of all before them
/// </code>
/// Numbers are varints; a block has its length before it.
/// </summary>
public static class PackedModel
{
    private const byte Version = 1;
    private const int ModelHash = 16;
    private const int FileHash = 8;
    private const int MostOfDeflate = 1032; // bytes that one byte of the format can stand for
    private static readonly byte[] Magic = [(byte)'O', (byte)'N', (byte)'N', (byte)'X', (byte)'Z'];

    /// <summary>Ending of packed models' names.</summary>
    public static string Extension => ".onnxz";

    /// <summary>Reads a packed model's file and gives the bytes of the ONNX file.</summary>
    /// <param name="path">A packed model.</param>
    /// <exception cref="PackedModelException">BML5740 damaged, BML5741 of a later version, BML5742 no packed model.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static byte[] Open(string path) => Unpack(File.ReadAllBytes(path), path);

    /// <summary>Gives the bytes of the ONNX file that a packed model was made of.</summary>
    /// <param name="packed">All bytes of a packed model.</param>
    /// <param name="name">What messages call it. Default <c>packed model</c>.</param>
    /// <exception cref="PackedModelException">BML5740 damaged, BML5741 of a later version, BML5742 no packed model.</exception>
    public static byte[] Unpack(byte[] packed, string name = "packed model")
    {
        packed = packed ?? throw new ArgumentNullException(nameof(packed));
        if (packed.Length < Magic.Length + 1 || !Magic.SequenceEqual(packed.Take(Magic.Length)))
        {
            throw new PackedModelException("BML5742", $"{name} is no packed model: it does not begin with ONNXZ. Pack an ONNX file as an output '*.onnxz' of a recipe.");
        }

        if (packed[Magic.Length] != Version)
        {
            throw new PackedModelException("BML5741", $"{name} has version {packed[Magic.Length]} of the format, this Build.ML.Packing reads version {Version}. Update the package.");
        }

        var end = packed.Length - FileHash;
        if (end < Magic.Length + 1 + ModelHash || !Matches(Hash(packed, end), packed, end, FileHash))
        {
            throw Damaged(name, null);
        }

        try
        {
            var model = Restore(new PackedReader(packed, Magic.Length + 1, end - ModelHash));
            return Matches(Hash(model, model.Length), packed, end - ModelHash, ModelHash) ? model : throw new InvalidDataException("What comes out is not what went in.");
        }
        catch (Exception e) when (e is InvalidDataException or ArgumentException or OverflowException or IndexOutOfRangeException or AggregateException)
        {
            throw Damaged(name, e);
        }
    }

    /// <summary>Packs the bytes of an ONNX file (of any file: what is not ONNX is deflated). The same bytes give the same packed bytes.</summary>
    /// <param name="model">All bytes of the file; external data is not looked for.</param>
    public static byte[] Pack(byte[] model)
    {
        model = model ?? throw new ArgumentNullException(nameof(model));
        var output = new PackedWriter();
        output.Write(Magic, 0, Magic.Length);
        output.Byte(Version);
        output.Varint(model.Length);
        var (between, told) = (new PackedWriter(), new PackedWriter());
        var coded = new List<(WeightBytes Weight, byte[] Bytes)>();
        var at = 0;
        foreach (var weight in OnnxWeights.Find(model))
        {
            if (WeightCodec.Encode(model, weight, told) is { } bytes)
            {
                coded.Add((weight, bytes));
                between.Write(model, at, weight.Start - at);
                at = weight.Start + weight.Length;
            }
        }

        between.Write(model, at, model.Length - at);
        output.Varint(coded.Count);
        at = 0;
        foreach (var (weight, bytes) in coded)
        {
            output.Varint(weight.Start - at);
            output.Varint(weight.Length);
            output.Block(bytes);
            at = weight.Start + weight.Length;
        }

        byte[] rest = [.. between.ToArray(), .. told.ToArray()];
        output.Varint(rest.Length);
        output.Block(Deflated(rest));
        output.Write(Hash(model, model.Length), 0, ModelHash);
        var all = output.ToArray();
        output.Write(Hash(all, all.Length), 0, FileHash);
        return output.ToArray();
    }

    private static byte[] Restore(PackedReader input)
    {
        var length = input.Varint();
        var weights = new List<(int Start, int Length, int From, int Bytes)>();
        var (at, between) = (0, length);
        for (var left = input.Varint(); left > 0; left--)
        {
            var start = checked(at + input.Varint());
            var count = input.Varint();
            at = checked(start + count);
            between -= count;
            var (from, bytes) = input.Block();
            weights.Add((start, count, from, bytes));
        }

        // Lengths are held against each other before memory is taken for them.
        var restLength = input.Varint();
        var (deflated, deflatedLength) = input.Block();
        if (at > length || between < 0 || between > restLength || restLength > MostOfDeflate * (long)deflatedLength)
        {
            throw new InvalidDataException("Its lengths contradict each other.");
        }

        var model = new byte[length];
        var rest = new byte[restLength];
        using var inflate = new DeflateStream(new MemoryStream(input.Bytes, deflated, deflatedLength), CompressionMode.Decompress);
        for (int done = 0, read; done < rest.Length; done += read)
        {
            read = inflate.Read(rest, done, rest.Length - done);
            if (read == 0)
            {
                throw new InvalidDataException("It ends too early.");
            }
        }

        at = 0;
        var next = 0;
        foreach (var weight in weights)
        {
            Buffer.BlockCopy(rest, next, model, at, weight.Start - at);
            next += weight.Start - at;
            at = weight.Start + weight.Length;
        }

        Buffer.BlockCopy(rest, next, model, at, model.Length - at);
        var told = new PackedReader(rest, next + model.Length - at, rest.Length);
        foreach (var weight in weights)
        {
            WeightCodec.Decode(new PackedReader(input.Bytes, weight.From, weight.From + weight.Bytes), model, weight.Start, weight.Length, told);
        }

        return model;
    }

    private static byte[] Deflated(byte[] bytes)
    {
        using var stream = new MemoryStream();
        using (var deflate = new DeflateStream(stream, CompressionLevel.Optimal, leaveOpen: true))
        {
            deflate.Write(bytes, 0, bytes.Length);
        }

        return stream.ToArray();
    }

    private static byte[] Hash(byte[] bytes, int count)
    {
        using var hash = SHA256.Create();
        return hash.ComputeHash(bytes, 0, count);
    }

    private static bool Matches(byte[] hash, byte[] bytes, int start, int count)
    {
        for (var i = 0; i < count; i++)
        {
            if (hash[i] != bytes[start + i])
            {
                return false;
            }
        }

        return true;
    }

    private static PackedModelException Damaged(string name, Exception? inner) =>
        new("BML5740", $"{name} is damaged: its bytes are not those that were written. Copy it again, or build it again.", inner);
}
