using System.Buffers;
using Build.ML.Calibration.Layers;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Quantization.Blocks;

/// <summary>
/// A quantized matrix as constants in the layout that MatMulNBits and GatherBlockQuantized share: codes [rows, blocks, bytes of a block], the first code in the lowest bits, the last
/// block of a row filled up with zeros; scales [rows, blocks]; zero points [rows, bytes], packed row by row.
/// </summary>
internal sealed class PackedBlocks
{
    private readonly BlockQuantizedMatrix _matrix;
    private readonly OnnxGraph _graph;
    private readonly string _name;
    private readonly ScratchFile _scratch;
    private readonly int _threads;
    private readonly int _perStored; // stored blocks to one fitted block: more than 1 where a whole row has one scale

    private Value? _blocked;
    private Value? _table;

    /// <summary>Packs a matrix and adds the constants to the graph that holds the weight.</summary>
    /// <param name="layer">The layer: its graph, its names.</param>
    /// <param name="matrix">Its codes.</param>
    /// <param name="scratch">Where the bytes wait.</param>
    /// <param name="threads">Cores to use.</param>
    public PackedBlocks(WeightLayer layer, BlockQuantizedMatrix matrix, ScratchFile scratch, int threads)
    {
        _matrix = matrix;
        var format = matrix.Format;
        BlockSize = matrix.Blocks == 1 ? OneBlockSize(matrix.Columns, format) : format.BlockSize;
        Blocks = (matrix.Columns + BlockSize - 1) / BlockSize;
        _perStored = matrix.Blocks == 1 ? Blocks : 1;
        _graph = layer.Weight.Graph;
        _name = layer.Weight.Name;
        _scratch = scratch;
        _threads = threads;
        Scales = Scaled(_name, 1);
        if (!format.Symmetric)
        {
            var width = (Blocks * format.StorageBits + 7) / 8;
            ZeroPoints = _graph.AddInitializer(
                _name + "_zero_points", new Tensor(DataType.UInt8, [matrix.Rows, width], scratch.Append(PackZeroPoints(width))));
        }
    }

    /// <summary>Columns of a stored block, a power of two.</summary>
    public int BlockSize { get; }

    /// <summary>Bits that a code takes.</summary>
    public int StorageBits => _matrix.Format.StorageBits;

    /// <summary>Stored blocks of a row.</summary>
    public int Blocks { get; }

    /// <summary>uint8 [rows, blocks, bytes of a block].</summary>
    public Value Codes => _blocked ??= Add("", [_matrix.Rows, Blocks, BlockSize * StorageBits / 8]);

    /// <summary>[rows, blocks].</summary>
    public Value Scales { get; }

    /// <summary>uint8 [rows, bytes], or null where the format is symmetric.</summary>
    public Value? ZeroPoints { get; }

    /// <summary>The codes as a table for look-ups, uint8 [rows, bytes of a row]: the same constant where whole blocks fill the rows, else without what fills them up.</summary>
    /// <param name="node">The node that needs it.</param>
    /// <param name="isShared">Whether products read the codes too.</param>
    public Value Table(Node node, bool isShared)
    {
        var bytes = _matrix.Columns * StorageBits / 8;
        if (!isShared || _matrix.Columns % BlockSize != 0)
        {
            return _table ??= Add("_table", [_matrix.Rows, bytes]);
        }

        var sizes = node.Graph.AddInitializer(Codes.Name + "_sizes", Tensor.Of<long>([_matrix.Rows, bytes]));
        return node.Graph.Add("Reshape", [Codes, sizes], Codes.Name + "_table", before: node);
    }

    /// <summary>The scales times a factor, as a further constant.</summary>
    public Value Scaled(string name, float factor)
    {
        var scales = _matrix.Scales;
        if (_perStored > 1 || factor != 1)
        {
            scales = new float[_matrix.Rows * Blocks];
            for (var i = 0; i < scales.Length; i++)
            {
                scales[i] = _matrix.Format.Storable(_matrix.Scales[i / _perStored] * (double)factor);
            }
        }

        var type = _matrix.Format.ScaleType;
        var bytes = new byte[type.ByteLength(scales.Length)];
        FloatElements.Write(type, scales, bytes);
        return _graph.AddInitializer(name + "_scales", new Tensor(type, [_matrix.Rows, Blocks], _scratch.Append(bytes)));
    }

    /// <summary>The block size that stores a row under one scale in the fewest bytes, of those for which ONNX Runtime has fast kernels at all numbers of bits.</summary>
    private static int OneBlockSize(int columns, BlockFormat format)
    {
        var best = 32;
        for (var size = 32; size <= 128; size *= 2)
        {
            best = Bytes(size) <= Bytes(best) ? size : best;
        }

        return best;

        long Bytes(int size) => (columns + size - 1L) / size * (size * format.StorageBits + format.ScaleType.BitWidth());
    }

    private Value Add(string suffix, ReadOnlySpan<long> sizes)
    {
        const int RowsPerChunk = 16;
        var stride = (int)(sizes.Length == 3 ? sizes[1] * sizes[2] : sizes[1]);
        var length = checked(_matrix.Rows * stride);
        var packed = ArrayPool<byte>.Shared.Rent(length);
        Parallel.For(
            0,
            (_matrix.Rows + RowsPerChunk - 1) / RowsPerChunk,
            new ParallelOptions { MaxDegreeOfParallelism = Math.Max(_threads, 1) },
            chunk =>
            {
                for (var row = chunk * RowsPerChunk; row < Math.Min((chunk + 1) * RowsPerChunk, _matrix.Rows); row++)
                {
                    var target = packed.AsSpan(row * stride, stride);
                    target[(_matrix.Columns * StorageBits / 8)..].Clear(); // what fills up the last block
                    BlockKernels.Pack(_matrix.CodesOf(row), StorageBits, target);
                }
            });
        var content = _scratch.Append(packed.AsSpan(0, length));
        ArrayPool<byte>.Shared.Return(packed);
        return _graph.AddInitializer($"{_name}_q{_matrix.Format.Bits}{suffix}", new Tensor(DataType.UInt8, sizes, content));
    }

    private byte[] PackZeroPoints(int width)
    {
        var packed = new byte[_matrix.Rows * width];
        var row = new byte[Blocks];
        for (var i = 0; i < _matrix.Rows; i++)
        {
            for (var block = 0; block < Blocks; block++)
            {
                row[block] = _matrix.ZeroPoints[(i * Blocks + block) / _perStored];
            }

            BlockKernels.Pack(row, _matrix.Format.StorageBits, packed.AsSpan(i * width, width));
        }

        return packed;
    }
}
