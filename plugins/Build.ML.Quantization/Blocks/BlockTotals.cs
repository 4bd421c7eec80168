using System.Collections.Immutable;
using System.Globalization;
using Build.ML.Calibration.Layers;

namespace Build.ML.Quantization.Blocks;

/// <summary>What all layers of a step took before and take now.</summary>
internal sealed class BlockTotals
{
    private long _weights;
    private long _before;
    private double _bits;
    private readonly SortedSet<int> _packedBits = [];
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
        if (!isPlain)
        {
            _packedBits.Add(matrix.Format.Bits);
        }

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
        var isPacked = _packed > 0 && options.Form == WeightForm.MatmulNbits;
        var slow = string.Join(" and ", _packedBits.Where(b => b is not (3 or 4)));
        if (isPacked && options.AccuracyLevel != 4 && slow.Length > 0)
        {
            notes.Add($"ONNX Runtime's CPU has no kernel for {slow} bits with accuracy_level {options.AccuracyLevel}: it dequantizes the weights in every run, 10 to 20 times slower than float for one row. Use accuracy_level: 4.");
        }
        else if (isPacked && _packedBits.Contains(2) && options.BlockSize is (16 or 256))
        {
            notes.Add($"ONNX Runtime's CPU has no kernel for 2 bits with block_size {options.BlockSize}: it dequantizes the weights in every run, 10 to 20 times slower than float for one row. Use 32, 64 or 128.");
        }
        else if (isPacked && options.AccuracyLevel == 4)
        {
            notes.Add("accuracy_level 4 rounds activations to 8 bits: 3 to 9 times as fast as float where one row is multiplied, about as fast or slower with many rows, and a source of error of its own.");
        }
        else if (isPacked)
        {
            notes.Add($"accuracy_level {options.AccuracyLevel} multiplies real numbers: up to twice as fast as float where one row is multiplied, slower with many; accuracy_level: 4 is faster.");
        }

        if (_plain > 0)
        {
            notes.Add(options.Form == WeightForm.MatmulNbits
                ? "ONNX Runtime restores the filters of convolutions when it loads the model: bytes of the file are saved, not time or memory."
                : "ONNX Runtime makes MatMulNBits with accuracy_level 4 of DequantizeLinear and MatMul; before Conv it runs DequantizeLinear every time: bytes are saved there, and time is lost.");
        }

        return notes.ToImmutable();
    }
}
