using Build.ML.Quantization.Blocks;

namespace Build.ML.Quantization.Rotation;

/// <summary>Rounding to nearest of W·s with what its gradient needs: the errors E = Q(W·s)/s − W are δ·Δ/s with rounding errors δ in steps and steps Δ set by each block's extremes.</summary>
internal sealed class StraightRounding
{
    private readonly BlockFormat _format;
    private readonly float[] _weights;
    private readonly float[]? _scales;
    private readonly float[] _steps;
    private readonly int _columns;
    private readonly int _block;

    /// <summary>Rounds.</summary>
    /// <param name="format">The format.</param>
    /// <param name="weights">[rows, columns].</param>
    /// <param name="columns">Columns.</param>
    /// <param name="scales">One a column, or null for ones.</param>
    public StraightRounding(BlockFormat format, float[] weights, int columns, float[]? scales)
    {
        (_format, _weights, _scales, _columns, _block) = (format, weights, scales, columns, format.Block(columns));
        Errors = new float[weights.Length];
        var blocks = format.Blocks(columns);
        _steps = new float[weights.Length / columns * blocks];
        var scaled = new float[columns];
        var codes = new byte[columns];
        var zeroPoints = new byte[format.Symmetric ? 0 : blocks];
        for (var row = 0; row < weights.Length / columns; row++)
        {
            var w = weights.AsSpan(row * columns, columns);
            var e = Errors.AsSpan(row * columns, columns);
            Scaled(w, scaled);
            var steps = _steps.AsSpan(row * blocks, blocks);
            BlockKernels.RoundRow(format, scaled, codes, steps, zeroPoints);
            BlockKernels.DequantizeRow(format, codes, steps, zeroPoints, e);
            for (var i = 0; i < columns; i++)
            {
                e[i] = (e[i] - scaled[i]) / (scales?[i] ?? 1);
            }
        }
    }

    /// <summary>E, [rows, columns].</summary>
    public float[] Errors { get; }

    /// <summary>∂/∂W from ∂/∂E; adds ∂/∂log s to <paramref name="scaleGradient"/>.</summary>
    public float[] Backward(float[] errorGradient, float[]? scaleGradient)
    {
        var dw = new float[_weights.Length];
        var blocks = _format.Blocks(_columns);
        for (var row = 0; row < _weights.Length / _columns; row++)
        {
            for (var b = 0; b < blocks; b++)
            {
                var start = row * _columns + b * _block;
                Block(start, Math.Min(_block, _columns - b * _block), b * _block, _steps[row * blocks + b], errorGradient, dw, scaleGradient);
            }
        }

        return dw;
    }

    private void Block(int start, int length, int column, float step, float[] gradient, float[] dw, float[]? scaleGradient)
    {
        // E = δ·Δ/s: ∂/∂Δ = Σ ∂E·δ/s = Σ ∂E·E/Δ; ∂/∂log s = −∂E·E.
        var (low, high) = (start, start);
        var sum = 0d;
        for (var i = start; i < start + length; i++)
        {
            var s = _scales?[column + i - start] ?? 1;
            var u = _weights[i] * s;
            low = u < _weights[low] * (_scales?[column + low - start] ?? 1) ? i : low;
            high = u > _weights[high] * (_scales?[column + high - start] ?? 1) ? i : high;
            var product = gradient[i] * Errors[i];
            sum += product;
            if (scaleGradient is not null)
            {
                scaleGradient[column + i - start] -= product;
            }
        }

        var dStep = sum / step;
        if (_format.Symmetric)
        {
            var extreme = _weights[high] * ScaleAt(high) >= -_weights[low] * ScaleAt(low) ? high : low;
            Move(extreme, -dStep / (_format.Levels / 2));
            return;
        }

        if (_weights[high] > 0)
        {
            Move(high, dStep / (_format.Levels - 1));
        }

        if (_weights[low] < 0)
        {
            Move(low, -dStep / (_format.Levels - 1));
        }

        float ScaleAt(int index) => _scales?[column + index - start] ?? 1;

        // ∂/∂u of an extreme: of W it is times s, of log s times u.
        void Move(int index, double du)
        {
            dw[index] += (float)(du * ScaleAt(index));
            if (scaleGradient is not null)
            {
                scaleGradient[column + index - start] += (float)(du * _weights[index] * ScaleAt(index));
            }
        }
    }

    private void Scaled(ReadOnlySpan<float> w, Span<float> scaled)
    {
        for (var i = 0; i < w.Length; i++)
        {
            scaled[i] = w[i] * (_scales?[i] ?? 1);
        }
    }
}
