using System.Collections.Immutable;
using System.Globalization;

namespace Build.ML.Quantization.Blocks;

/// <summary>What all layers of a step took before and take now.</summary>
internal sealed class BlockTotals
{
    private long _weights;
    private long _before;
    private double _bits;
    private int _packed;
    private int _plain;

    /// <summary>Whether nothing was quantized.</summary>
    public bool IsEmpty => _packed + _plain == 0;

    /// <summary>Adds a layer.</summary>
    public void Add(WeightLayer layer, BlockQuantizedMatrix matrix, bool isPlain)
    {
        var count = (long)layer.Rows * layer.Columns;
        _weights += count;
        _before += layer.ByteLength;
        _bits += matrix.Format.EffectiveBits(layer.Columns) * count;
        (_packed, _plain) = (_packed + (isPlain ? 0 : 1), _plain + (isPlain ? 1 : 0));
    }

    /// <summary>Sentences for the report.</summary>
    public ImmutableArray<string> Notes(WeightFormOptions options)
    {
        if (IsEmpty)
        {
            return [];
        }

        var notes = ImmutableArray.CreateBuilder<string>();
        notes.Add(string.Create(
            CultureInfo.InvariantCulture,
            $"{_packed + _plain} weights with {_weights} numbers: {_bits / 8 / _before:P1} of their former bytes, {_bits / _weights:0.00} bits a weight with scales and zero points."));
        if (_packed > 0 && options.Bits == 8)
        {
            notes.Add("MatMulNBits of 8 bits is fast in ONNX Runtime with accuracy_level 4 and one row at a time; with many rows, or accuracy_level 0, it is slower than float: quantize.dynamic serves better there.");
        }
        else if (_packed > 0 && options.AccuracyLevel == 4)
        {
            notes.Add("accuracy_level 4 rounds activations to 8 bits: faster, above all one row at a time, and a source of error of its own, which accuracy_level 0 is without.");
        }
        else if (_packed > 0)
        {
            notes.Add($"accuracy_level {options.AccuracyLevel} multiplies real numbers: about as fast as float on a CPU; accuracy_level 4 is faster.");
        }

        if (_plain > 0)
        {
            notes.Add("ONNX Runtime makes MatMulNBits (accuracy_level 4) of DequantizeLinear before MatMul; before Conv and Gemm it dequantizes in every run: bytes are saved there, not time.");
        }

        return notes.ToImmutable();
    }
}
