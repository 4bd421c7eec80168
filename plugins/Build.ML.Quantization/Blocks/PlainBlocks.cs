using Build.ML.Calibration.Layers;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Quantization.Blocks;

/// <summary>
/// A quantized matrix as constants that ONNX's own operators take: codes of type int2, uint2, int4, uint4, int8 or uint8 in the sizes of the weight, scales with one dimension cut into
/// blocks. Symmetric codes are signed with zero point 0.
/// </summary>
/// <param name="layer">The layer: its graph, its names.</param>
/// <param name="matrix">Its codes.</param>
/// <param name="scratch">Where the bytes wait.</param>
internal sealed class PlainBlocks(WeightLayer layer, BlockQuantizedMatrix matrix, ScratchFile scratch)
{
    private readonly BlockFormat _format = matrix.Format;

    private DataType CodeType => (_format.StorageBits, _format.Symmetric) switch
    {
        (2, true) => DataType.Int2,
        (2, false) => DataType.UInt2,
        (4, true) => DataType.Int4,
        (4, false) => DataType.UInt4,
        (8, true) => DataType.Int8,
        _ => DataType.UInt8,
    };

    /// <summary>Adds a DequantizeLinear that yields Wᵀ, [columns, rows], with blocks along the columns: the form of which ONNX Runtime makes MatMulNBits.</summary>
    /// <param name="before">The node to insert before.</param>
    /// <param name="factor">Multiplies all of it.</param>
    public Value DequantizeTransposed(Node before, float factor)
    {
        var constants = Constants([matrix.Columns, matrix.Rows], isTransposed: true, factor);
        return Dequantize(constants.Codes, constants.Scales, constants.ZeroPoints, axis: matrix.Blocks == 1 ? 1 : 0, before);
    }

    /// <summary>
    /// Adds a DequantizeLinear that yields the filters of a Conv in their own sizes: with one scale for each filter directly, with blocks within filters by way of a Reshape.
    /// </summary>
    public Value DequantizeFilters(Node before)
    {
        var isPerFilter = matrix.Blocks == 1;
        var constants = Constants(isPerFilter ? layer.Tensor.Sizes.AsSpan() : [matrix.Rows, matrix.Columns], isTransposed: false, 1);
        var filters = Dequantize(constants.Codes, constants.Scales, constants.ZeroPoints, axis: isPerFilter ? 0 : 1, before);
        if (isPerFilter)
        {
            return filters;
        }

        var sizes = layer.Weight.Graph.AddInitializer(layer.Weight.Name + "_sizes", Tensor.Of(layer.Tensor.Sizes.ToArray()));
        return before.Graph.Add("Reshape", [filters, sizes], layer.Weight.Name + "_filters", before: before);
    }

    /// <summary>
    /// Adds Cast, Sub and Mul that yield the filters of a Conv. ONNX Runtime computes them once, when it loads the model, and then runs as fast as with float weights; a DequantizeLinear it runs
    /// every time.
    /// </summary>
    public Value FoldedFilters(Node before)
    {
        var isPerFilter = matrix.Blocks == 1;
        var name = layer.Weight.Name;
        long[] codeSizes = isPerFilter ? [.. layer.Tensor.Sizes] : [matrix.Rows, matrix.Blocks, _format.BlockSize];
        long[] sizes = isPerFilter ? [matrix.Rows, .. Enumerable.Repeat(1L, codeSizes.Length - 1)] : [matrix.Rows, matrix.Blocks, 1];
        var filters = Cast(Add($"_q{_format.Bits}", CodeType, codeSizes, Codes(false)));
        if (!_format.Symmetric)
        {
            filters = before.Graph.Add("Sub", [filters, Cast(Add("_zero_points", CodeType, sizes, ZeroPointBytes(false)))], name + "_centred", before: before);
        }

        filters = before.Graph.Add("Mul", [filters, Add("_scales", _format.ScaleType, sizes, ScaleBytes(false, 1))], name + "_dequantized", before: before);
        return isPerFilter
            ? filters
            : before.Graph.Add("Reshape", [filters, layer.Weight.Graph.AddInitializer(name + "_sizes", Tensor.Of(layer.Tensor.Sizes.ToArray()))], name + "_filters", before: before);

        Value Cast(Value codes) =>
            before.Graph.Add("Cast", [codes], codes.Name + "_cast", [NodeAttribute.Int("to", (long)_format.ScaleType)], before: before);
    }

    /// <summary>Whether filters can be cut into whole blocks only, which <see cref="FoldedFilters"/> needs.</summary>
    public bool IsWhole => matrix.Blocks == 1 || matrix.Columns % _format.BlockSize == 0;

    /// <summary>Adds look-ups of codes, scales and zero points, and a DequantizeLinear of the rows they yield: the whole table is never dequantized.</summary>
    /// <param name="gather">The look-up they stand for; the new nodes come before it.</param>
    public Value DequantizeRows(Node gather)
    {
        var constants = Constants([matrix.Rows, matrix.Columns], isTransposed: false, 1, isTable: true);
        return Dequantize(Look(constants.Codes)!, Look(constants.Scales)!, Look(constants.ZeroPoints), axis: -1, gather);

        Value? Look(Value? table) => table is null
            ? null
            : gather.Graph.Add("Gather", [table, gather.Inputs[1]], table.Name + "_rows", [NodeAttribute.Int("axis", 0)], before: gather);
    }

    private Value Dequantize(Value codes, Value scales, Value? zeroPoints, int axis, Node before)
    {
        var isBlocked = axis == -1 || matrix.Blocks > 1;
        ReadOnlySpan<Value?> inputs = [codes, scales, zeroPoints];
        ReadOnlySpan<NodeAttribute> attributes = [NodeAttribute.Int("axis", axis), NodeAttribute.Int("block_size", _format.Block(matrix.Columns))];
        return before.Graph.Add(
            "DequantizeLinear",
            inputs[..(zeroPoints is null ? 2 : 3)], // a left-out third input keeps ONNX Runtime from fusing
            layer.Weight.Name + "_dequantized",
            attributes[..(isBlocked ? 2 : 1)],
            before: before);
    }

    private (Value Codes, Value Scales, Value? ZeroPoints) Constants(ReadOnlySpan<long> sizes, bool isTransposed, float factor, bool isTable = false)
    {
        ReadOnlySpan<long> parameters = matrix.Blocks == 1 && !isTable ? [matrix.Rows] : isTransposed ? [matrix.Blocks, matrix.Rows] : [matrix.Rows, matrix.Blocks];
        return (
            Add($"_q{_format.Bits}", CodeType, sizes, Codes(isTransposed)),
            Add("_scales", _format.ScaleType, parameters, ScaleBytes(isTransposed, factor)),
            _format.Symmetric ? null : Add("_zero_points", CodeType, parameters, ZeroPointBytes(isTransposed)));
    }

    private Value Add(string suffix, DataType type, ReadOnlySpan<long> sizes, byte[] bytes) =>
        layer.Weight.Graph.AddInitializer(layer.Weight.Name + suffix, new Tensor(type, sizes, scratch.Append(bytes)));

    private byte[] Codes(bool isTransposed) => Packed(isTransposed ? Turn(matrix.Codes, matrix.Rows, matrix.Columns) : matrix.Codes);

    private byte[] ScaleBytes(bool isTransposed, float factor)
    {
        var scales = Array.ConvertAll(matrix.Scales, s => factor == 1 ? s : _format.Storable(s * (double)factor));
        if (isTransposed)
        {
            var turned = new float[scales.Length];
            Transposition.Turn(scales, matrix.Rows, matrix.Blocks, matrix.Blocks, turned, matrix.Rows);
            scales = turned;
        }

        var bytes = new byte[_format.ScaleType.ByteLength(scales.Length)];
        FloatElements.Write(_format.ScaleType, scales, bytes);
        return bytes;
    }

    private byte[] ZeroPointBytes(bool isTransposed) =>
        Packed(isTransposed ? Turn(matrix.ZeroPoints, matrix.Rows, matrix.Blocks) : matrix.ZeroPoints);

    /// <summary>Sub-byte types pack over the whole tensor. A symmetric code of middle m stands for q − m in two's complement: the same bits with the highest one flipped.</summary>
    private byte[] Packed(byte[] codes)
    {
        var packed = new byte[(codes.Length * (long)_format.StorageBits + 7) / 8];
        BlockKernels.Pack(codes, _format.StorageBits, packed);
        if (_format.Symmetric)
        {
            var flip = (byte)(_format.StorageBits switch { 2 => 0xAA, 4 => 0x88, _ => 0x80 });
            for (var i = 0; i < packed.Length; i++)
            {
                packed[i] ^= flip;
            }
        }

        return packed;
    }

    private static byte[] Turn(byte[] from, int rows, int columns)
    {
        const int Tile = 64;
        var to = GC.AllocateUninitializedArray<byte>(from.Length);
        for (var r = 0; r < rows; r += Tile)
        {
            for (var c = 0; c < columns; c += Tile)
            {
                for (var i = r; i < Math.Min(r + Tile, rows); i++)
                {
                    for (var j = c; j < Math.Min(c + Tile, columns); j++)
                    {
                        to[j * rows + i] = from[i * columns + j];
                    }
                }
            }
        }

        return to;
    }
}
