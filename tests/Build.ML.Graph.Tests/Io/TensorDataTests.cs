using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Tests.Io;

public sealed class TensorDataTests
{
    /// <summary>Type, field, whether fixed width, entries as onnx.proto describes them, bytes as raw_data would have them.</summary>
    public static TheoryData<DataType, long[], long[], byte[]> IntegerFields => new()
    {
        // sizes, int32_data/int64_data/uint64_data entries, expected bytes
        { DataType.Int32, [2], [1, -2], [1, 0, 0, 0, 0xFE, 0xFF, 0xFF, 0xFF] },
        { DataType.Int16, [2], [1, -2], [1, 0, 0xFE, 0xFF] },
        { DataType.UInt16, [2], [1, 65535], [1, 0, 0xFF, 0xFF] },
        { DataType.Int8, [3], [1, -2, -128], [1, 0xFE, 0x80] },
        { DataType.UInt8, [2], [1, 255], [1, 255] },
        { DataType.Bool, [2], [1, 0], [1, 0] },
        { DataType.Float16, [2], [0x3C00, 0xC000], [0, 0x3C, 0, 0xC0] },
        { DataType.BFloat16, [1], [0x3F80], [0x80, 0x3F] },
        { DataType.Float8E4M3FN, [1], [0x38], [0x38] },
        { DataType.Float8E5M2FNUZ, [1], [0xC0], [0xC0] },
        { DataType.Int4, [3], [0x21, 0x0F], [0x21, 0x0F] },
        { DataType.UInt4, [2, 2], [0x21, 0x43], [0x21, 0x43] },
        { DataType.Float4E2M1, [1], [0x02], [0x02] },
        { DataType.Int2, [5], [0xE4, 0x01], [0xE4, 0x01] },
        { DataType.Int64, [2], [1, long.MinValue], [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80] },
        { DataType.UInt32, [1], [0xFFFFFFFF], [0xFF, 0xFF, 0xFF, 0xFF] },
        { DataType.UInt64, [1], [-1], [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF] },
    };

    [Theory]
    [MemberData(nameof(IntegerFields))]
    public void Integer_fields_give_the_bytes_that_raw_data_would_have(DataType type, long[] sizes, long[] entries, byte[] expected)
    {
        var field = type switch { DataType.Int64 => 7, DataType.UInt32 or DataType.UInt64 => 11, _ => 5 };
        var half = entries.Length / 2;
        var forms = new[]
        {
            new ProtoMessage().Packed(field, entries),
            new ProtoMessage().Varints(field, entries),
            new ProtoMessage().Packed(field, entries[..half]).Varints(field, entries[half..]), // a writer may mix both
        };
        foreach (var form in forms)
        {
            var tensor = Read(Tensor(type, sizes).Raw(form.ToArray()));

            Assert.Equal(type, tensor.Type);
            Assert.Equal(sizes, tensor.Sizes);
            Assert.Equal(expected, tensor.ToArray<byte>());
            Assert.Equal(expected, Read(Tensor(type, sizes).Bytes(9, expected)).ToArray<byte>());
        }
    }

    [Fact]
    public void Float_fields_give_their_numbers_packed_and_one_by_one()
    {
        Assert.Equal([1f, -2f], Read(Tensor(DataType.Float, 2).PackedFloats(4, 1, -2)).ToArray<float>());
        Assert.Equal([1f, -2f], Read(Tensor(DataType.Float, 2).Float(4, 1).Float(4, -2)).ToArray<float>());
        Assert.Equal([1d, -2d], Read(Tensor(DataType.Double, 2).PackedDoubles(10, 1, -2)).ToArray<double>());
        Assert.Equal([1d, -2d], Read(Tensor(DataType.Double, 2).Double(10, 1).Double(10, -2)).ToArray<double>());
        Assert.Equal(BitConverter.GetBytes(1f).Concat(BitConverter.GetBytes(-2f)), Read(Tensor(DataType.Complex64, 1).PackedFloats(4, 1, -2)).ToArray<byte>());
        Assert.Equal(BitConverter.GetBytes(1d).Concat(BitConverter.GetBytes(-2d)), Read(Tensor(DataType.Complex128, 1).PackedDoubles(10, 1, -2)).ToArray<byte>());
    }

    [Fact]
    public void Strings_are_read()
    {
        var tensor = Read(Tensor(DataType.String, 2, 1).Texts(6, "é", ""));

        Assert.Equal(["é", ""], tensor.Strings.AsEnumerable());
        Assert.Equal([2L, 1L], tensor.Sizes.AsEnumerable());
    }

    [Fact]
    public void Empty_tensors_need_no_data_and_no_overflow()
    {
        Assert.Equal(0, Read(Tensor(DataType.Float, 0, 3)).Count);
        Assert.Equal(0, Read(Tensor(DataType.Double, long.MaxValue, long.MaxValue, 0).Bytes(9, [])).Count);
    }

    [Theory]
    [InlineData(DataType.Float)]
    [InlineData(DataType.Int4)]
    [InlineData(DataType.UInt2)]
    [InlineData(DataType.BFloat16)]
    [InlineData(DataType.Float8E8M0)]
    [InlineData(DataType.Complex128)]
    public void A_new_tensor_of_any_type_is_read_back(DataType type)
    {
        var bytes = Enumerable.Range(0, (int)type.ByteLength(5)).Select(i => (byte)(i + 1)).ToArray();
        using var model = Model.Load(OnnxSample.Add());
        model.Graph.AddInitializer("t", Tensors.Tensor.OfBytes(type, bytes, 5));
        using var read = Model.Load(model.ToBytes());

        var tensor = read.Graph.Find("t")!.Initializer!;
        Assert.Equal(type, tensor.Type);
        Assert.Equal(bytes, tensor.ToArray<byte>());
    }

    [Fact]
    public void A_large_tensor_is_read_from_its_file_in_parts()
    {
        using var folder = new TemporaryFolder();
        var values = Enumerable.Range(0, 1 << 18).Select(i => (float)i).ToArray(); // 1 MB: mapped
        using (var model = Model.Load(OnnxSample.Add()))
        {
            model.Graph.AddInitializer("t", Tensors.Tensor.Of(values, 1 << 18));
            model.Save(folder.PathOf("m.onnx"));
        }

        using var opened = Model.Open(folder.PathOf("m.onnx"));
        File.Delete(folder.PathOf("m.onnx")); // open files stay readable
        var tensor = opened.Graph.Find("t")!.Initializer!;
        Assert.Equal(values, tensor.ToArray<float>());
        using var view = tensor.Content.Open();
        Assert.Equal(BitConverter.GetBytes(1000f), view.Slice(4000, 4).ToArray());
        Assert.Throws<ArgumentOutOfRangeException>(() => view.Slice(tensor.ByteLength - 3, 4).Length);
    }

    static ProtoMessage Tensor(DataType type, params long[] sizes) => new ProtoMessage().Varints(1, sizes).Varint(2, (int)type).Text(8, "t");

    static Tensor Read(ProtoMessage tensor)
    {
        var bytes = OnnxSample.Model(new ProtoMessage().Text(2, "g").Message(5, tensor)).ToArray();
        var model = Model.Load(bytes);
        using var again = Model.Load(model.ToBytes());
        var read = model.Graph.Find("t")!.Initializer!;
        if (read.Type != DataType.String)
            Assert.Equal(read.ToArray<byte>(), again.Graph.Find("t")!.Initializer!.ToArray<byte>());
        return read;
    }
}
