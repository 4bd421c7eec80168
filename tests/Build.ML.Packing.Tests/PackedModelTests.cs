using System.IO.Compression;
using Build.ML.Packing.Coding;

namespace Build.ML.Packing.Tests;

public sealed class PackedModelTests
{
    [SkippableFact]
    public void Every_conformance_model_comes_out_bit_by_bit()
    {
        foreach (var path in OnnxTestData.AllModels())
        {
            var model = File.ReadAllBytes(path);
            Assert.True(model.AsSpan().SequenceEqual(PackedModel.Unpack(PackedModel.Pack(model))), path);
        }
    }

    [Fact]
    public void Whatever_is_packed_comes_out_bit_by_bit()
    {
        for (var seed = 0; seed < 300; seed++)
        {
            var model = OnnxMutator.Mutate(seed % 2 == 0 ? OnnxSample.Rich() : Weights(1, Normal(300, seed)), seed);
            Assert.Equal(model, PackedModel.Unpack(PackedModel.Pack(model)));
        }

        Assert.Empty(PackedModel.Unpack(PackedModel.Pack([])));
    }

    [Fact]
    public void A_changed_file_is_an_error_and_never_another_model()
    {
        var model = Weights(2, Indices(5000, 4, 0.9));
        var packed = PackedModel.Pack(model);
        for (var seed = 0; seed < 2000; seed++)
        {
            var changed = OnnxMutator.Mutate(packed, seed);
            if (changed.AsSpan().SequenceEqual(packed))
                continue;
            var error = Assert.Throws<PackedModelException>(() => PackedModel.Unpack(changed));
            Assert.Contains(error.Code, new[] { "BML5740", "BML5741", "BML5742" });
            Assert.StartsWith(error.Code, error.Message, StringComparison.Ordinal);
        }

        for (var length = 0; length < packed.Length; length++)
            Assert.Throws<PackedModelException>(() => PackedModel.Unpack(packed[..length]));
    }

    [Fact]
    public void A_file_made_to_deceive_gives_no_other_model_either()
    {
        // The hash over the file is right, so that the decoder sees what was changed.
        var model = Weights(2, Indices(5000, 4, 0.9));
        var packed = PackedModel.Pack(model);
        var errors = 0;
        for (var seed = 0; seed < 2000; seed++)
        {
            var changed = OnnxMutator.Mutate(packed.AsSpan(6, packed.Length - 14).ToArray(), seed);
            byte[] file = [.. packed[..6], .. changed];
            file = [.. file, .. System.Security.Cryptography.SHA256.HashData(file)[..8]];
            try
            {
                Assert.Equal(model, PackedModel.Unpack(file)); // what does not matter was changed, such as bytes behind the last that is read
            }
            catch (PackedModelException e)
            {
                Assert.Equal("BML5740", e.Code);
                errors++;
            }
        }

        Assert.InRange(errors, 1900, 2000);
    }

    [Theory]
    [InlineData("an ONNX file that was not packed", "BML5742")]
    [InlineData("ONNXZ\u0002, of a later version", "BML5741")]
    public void Other_files_are_told_apart(string content, string code)
    {
        using var folder = new TemporaryFolder();
        var path = folder.Write("model.onnxz", content);

        var error = Assert.Throws<PackedModelException>(() => PackedModel.Open(path));
        Assert.Equal(code, error.Code);
        Assert.Contains(path, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(4, 0.0)]
    [InlineData(4, 0.9)]
    [InlineData(5, 0.5)]
    [InlineData(3, 0.97)]
    [InlineData(8, 0.0)]
    [InlineData(1, 0.8)]
    public void Indices_take_little_more_than_their_entropy(int bits, double zeros)
    {
        const int count = 200_000;
        var model = Weights(2, Packed(Symbols(count, bits, zeros), bits));
        var packed = PackedModel.Pack(model);
        Assert.Equal(model, PackedModel.Unpack(packed));
        var values = (1 << bits) - 1;
        var entropy = zeros == 0 ? Math.Log2(values) : -(zeros * Math.Log2(zeros)) - ((1 - zeros) * Math.Log2((1 - zeros) / values));

        // No symbol tells of another, and adapting costs: about ½·log₂(n) bits for each of some hundred probabilities, and a thousandth of a bit for each decision.
        Assert.InRange(packed.Length, 0.99 * count * entropy / 8, (1.015 * count * entropy / 8) + 400);
    }

    [Fact]
    public void Columns_of_zeros_are_seen_whatever_their_distance()
    {
        var random = new Random(1);
        var dead = Enumerable.Range(0, 137).Select(_ => random.Next(10) < 8).ToArray();
        byte[] columns = [.. Enumerable.Range(0, 137 * 300).Select(i => (byte)(dead[i % 137] ? 0 : 1 + random.Next(15)))];
        byte[] mixed = [.. columns.OrderBy(_ => random.Next())];

        var (ordered, shuffled) = (PackedModel.Pack(Weights(2, Packed(columns, 4))).Length, PackedModel.Pack(Weights(2, Packed(mixed, 4))).Length);
        // What is not 0 takes 3.9 bits either way; telling where that is takes 0.72 bits a symbol, or next to nothing.
        Assert.True(ordered < shuffled - (0.6 * columns.Length / 8), $"{ordered} of {shuffled}");
    }

    [Fact]
    public void Floats_of_few_values_and_floats_with_zeros_take_less_than_deflate_makes_of_them()
    {
        var random = new Random(3);
        float[] values = [0, .. Enumerable.Range(0, 15).Select(_ => random.NextSingle())];
        var shared = Bytes([.. Enumerable.Range(0, 20_000).Select(_ => values[random.Next(10) < 7 ? 0 : random.Next(16)])]);
        var sparse = Bytes([.. Enumerable.Range(0, 20_000).Select(_ => random.Next(10) < 9 ? 0 : random.NextSingle())]);
        foreach (var weights in new[] { shared, sparse })
        {
            var model = Weights(1, weights);
            var packed = PackedModel.Pack(model);
            Assert.Equal(model, PackedModel.Unpack(packed));
            Assert.True(packed.Length < 0.95 * Deflated(model), $"{packed.Length}, deflated {Deflated(model)}");
        }
    }

    [Fact]
    public void Bits_are_coded_at_the_cost_of_their_probabilities_whatever_comes()
    {
        var random = new Random(5);
        foreach (var ones in new[] { 0, 1e-4, 0.3, 0.5, 0.999, 1 })
        {
            var bits = Enumerable.Range(0, 50_000).Select(_ => random.NextDouble() < ones ? 1 : 0).ToArray();
            var encoder = new RangeEncoder();
            uint state = AdaptiveBit.Initial;
            foreach (var bit in bits)
                encoder.Encode(ref state, bit);
            var bytes = encoder.Finish();
            var decoder = new RangeDecoder(bytes, 0, bytes.Length);
            state = AdaptiveBit.Initial;
            Assert.Equal(bits, bits.Select(_ => decoder.Decode(ref state)).ToArray());
            double share = bits.Average();
            var entropy = share is 0 or 1 ? 0 : -(share * Math.Log2(share)) - ((1 - share) * Math.Log2(1 - share));
            Assert.InRange(bytes.Length, 0.99 * bits.Length * entropy / 8, (bits.Length * (entropy + 0.001) / 8) + 8);
        }
    }

    [Fact]
    public void Packing_twice_gives_the_same_bytes()
    {
        var model = Weights(2, Indices(2_500_000, 4, 0.5));

        Assert.Equal(PackedModel.Pack(model), PackedModel.Pack(model));
        Assert.Equal(model, PackedModel.Unpack(PackedModel.Pack(model)));
    }

    private static byte[] Weights(int type, byte[] data) => OnnxSample.Model(
        new ProtoMessage().Message(1, OnnxSample.Node("Identity", ["w"], ["y"])).Text(2, "g")
            .Message(5, OnnxSample.RawTensor("w", type, data, data.Length / (type == 1 ? 4 : 1))).Message(12, OnnxSample.TensorValue("y", type))).ToArray();

    private static byte[] Symbols(int count, int bits, double zeros)
    {
        var random = new Random(7);
        return [.. Enumerable.Range(0, count).Select(_ => (byte)(random.NextDouble() < zeros ? 0 : 1 + random.Next((1 << bits) - 1)))];
    }

    private static byte[] Indices(int count, int bits, double zeros) => Packed(Symbols(count, bits, zeros), bits);

    private static byte[] Packed(byte[] symbols, int bits)
    {
        var bytes = new byte[(symbols.Length * bits + 7) / 8];
        BitFields.Write(symbols, bits, bytes, 0, bytes.Length);
        return bytes;
    }

    private static byte[] Normal(int count, int seed)
    {
        var random = new Random(seed);
        return Bytes([.. Enumerable.Range(0, count).Select(_ => random.NextSingle() - 0.5f)]);
    }

    private static byte[] Bytes(float[] numbers)
    {
        var bytes = new byte[numbers.Length * 4];
        Buffer.BlockCopy(numbers, 0, bytes, 0, bytes.Length);
        return bytes;
    }

    private static int Deflated(byte[] bytes)
    {
        using var stream = new MemoryStream();
        using (var deflate = new DeflateStream(stream, CompressionLevel.SmallestSize, leaveOpen: true))
            deflate.Write(bytes);
        return (int)stream.Length;
    }
}
