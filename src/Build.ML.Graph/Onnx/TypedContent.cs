using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Onnx;

/// <summary>
/// Elements a file holds in typed fields (varints, single elements), decoded each time they are opened. Which field serves which type, and
/// what an entry of it is, follows the comments of <c>TensorProto</c> in onnx.proto.
/// </summary>
internal sealed class TypedContent(DataType type, long length, DataRun[] runs, string file) : TensorContent
{
    public override long Length => length;

    /// <summary>The field for a type, and how many entries of it a tensor takes.</summary>
    /// <param name="type">Element type.</param>
    /// <param name="length">Bytes of the elements.</param>
    /// <param name="count">Number of elements.</param>
    public static (int Field, long Entries) Layout(DataType type, long length, long count) => type switch
    {
        DataType.Float => (TensorField.FloatData, count),
        DataType.Complex64 => (TensorField.FloatData, count * 2),
        DataType.Double => (TensorField.DoubleData, count),
        DataType.Complex128 => (TensorField.DoubleData, count * 2),
        DataType.Int64 => (TensorField.Int64Data, count),
        DataType.UInt32 or DataType.UInt64 => (TensorField.UInt64Data, count),
        DataType.String => (TensorField.StringData, count),
        _ when type.BitWidth() < 8 => (TensorField.Int32Data, length), // one packed byte an entry
        _ => (TensorField.Int32Data, count),
    };

    public override ContentView Open()
    {
        var view = new NativeView(length);
        try
        {
            Decode(view.Bytes);
            return view;
        }
        catch
        {
            view.Dispose();
            throw;
        }
    }

    private void Decode(Span<byte> destination)
    {
        // An entry is stored in the width of the element: one byte where elements are packed.
        var width = type switch
        {
            DataType.Complex64 => 4,
            DataType.Complex128 => 8,
            _ => Math.Max(1, type.BitWidth() / 8),
        };
        var rest = destination;
        foreach (var run in runs)
        {
            var reader = new WireReader(run.Source, file, run.Offset, run.Length);
            while (reader.Next())
            {
                if (reader.Wire != WireType.Bytes)
                {
                    ReadEntry(reader, width, ref rest);
                    continue;
                }

                var entries = reader.ReadLength();
                for (var end = reader.Position + entries; reader.Position < end;)
                {
                    ReadEntry(reader, width, ref rest);
                }
            }
        }

        if (rest.Length > 0)
        {
            throw new Diagnostics.DiagnosticException("BML2002", $"The file changed while it was in use: {rest.Length} bytes of a tensor are missing. Open it again.", new(file));
        }
    }

    private static void ReadEntry(WireReader reader, int width, ref Span<byte> rest)
    {
        Span<byte> bytes = stackalloc byte[8];
        var value = reader.Field switch
        {
            TensorField.FloatData => reader.ReadFixed32(),
            TensorField.DoubleData => reader.ReadFixed64(),
            _ => reader.ReadVarint(),
        };
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        if (rest.Length < width)
        {
            throw reader.Malformed("there are more elements than when the file was opened");
        }

        bytes[..width].CopyTo(rest);
        rest = rest[width..];
    }

    private sealed unsafe class NativeView(long length) : ContentView
    {
        private readonly int _length = checked((int)length);
        private byte* _memory = (byte*)NativeMemory.Alloc((nuint)length);

        public Span<byte> Bytes => new(_memory, _length);

        public override ReadOnlySpan<byte> Slice(long offset, int length)
        {
            ObjectDisposedException.ThrowIf(_memory == null, this);
            return Bytes.Slice(checked((int)offset), length);
        }

        protected override void Dispose(bool disposing)
        {
            NativeMemory.Free(_memory);
            _memory = null;
            base.Dispose(disposing);
        }
    }
}
