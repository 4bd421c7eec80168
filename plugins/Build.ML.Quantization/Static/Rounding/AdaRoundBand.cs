using System.Numerics.Tensors;

namespace Build.ML.Quantization.Static.Rounding;

/// <summary>A few outputs of a layer whose rounding is learnt together: the state of <see cref="AdaRound"/>'s descent.</summary>
internal sealed class AdaRoundBand
{
    private readonly AdaRound _method;
    private readonly LayerSample _sample;
    private readonly int _first;
    private readonly int _count;
    private readonly int _columns;
    private readonly float _meanSquare;
    private readonly int _width;
    private readonly int _outputs;
    private readonly float[] _floor;
    private readonly float[] _v;
    private readonly float[] _h;
    private readonly float[] _sigmoid;
    private readonly float[] _weights;
    private readonly float[] _gradient;
    private readonly float[] _scratch;
    private readonly float[] _first1;
    private readonly float[] _second2;
    private readonly float[] _scales;
    private readonly float[] _bias;
    private float[] _errors = [];

    /// <summary>Allocates.</summary>
    public AdaRoundBand(AdaRound method, LayerSample sample, int first, int count, int columns, float meanSquare)
    {
        (_method, _sample, _first, _count, _columns, _meanSquare) = (method, sample, first, count, columns, meanSquare);
        (_width, _outputs) = (sample.Columns, RowProducts.Padded(count, RowProducts.Outputs));
        var size = _outputs * _width;
        (_floor, _v, _h, _sigmoid, _weights, _gradient, _scratch, _first1, _second2) = (
            new float[size], new float[size], new float[size], new float[size], new float[size], new float[size], new float[size], new float[size], new float[size]);
        (_scales, _bias) = (new float[_outputs], new float[_outputs]);
    }

    /// <summary>V so that ⌊W/s⌋ + h(V) = W/s: the descent starts at the real weights.</summary>
    public void Load(ReadOnlySpan<float> weights, ReadOnlySpan<float> scales, ReadOnlySpan<float> bias)
    {
        for (var o = 0; o < _count; o++)
        {
            _scales[o] = scales[_first + o];
            _bias[o] = bias.IsEmpty ? 0 : bias[_first + o];
            for (var k = 0; k < _columns; k++)
            {
                var exact = weights[(_first + o) * _columns + k] / _scales[o];
                var floor = MathF.Floor(exact);
                var i = o * _width + k;
                _floor[i] = floor;
                _v[i] = -MathF.Log((AdaRound.Zeta - AdaRound.Gamma) / (exact - floor - AdaRound.Gamma) - 1);
            }
        }
    }

    /// <summary>One step of Adam on the next rows of the sample.</summary>
    public void Step(int step, int batch)
    {
        var batches = _sample.Rows / batch;
        var (lambda, beta) = _method.Schedule(step);
        Gradient(step % batches * batch, batch, lambda, beta);
        var (rate, m1, m2) = AdaRound.Adam;
        var correction = (float)(Math.Sqrt(1 - Math.Pow(m2, step + 1)) / (1 - Math.Pow(m1, step + 1)));

        // m ← β₁m + (1 − β₁)g; u ← β₂u + (1 − β₂)g²; V ← V − rate·m̂/(√û + ε)
        TensorPrimitives.Multiply(_first1, m1, _first1);
        TensorPrimitives.MultiplyAdd(_gradient, 1 - m1, _first1, _first1);
        TensorPrimitives.Multiply(_gradient, _gradient, _gradient);
        TensorPrimitives.Multiply(_second2, m2, _second2);
        TensorPrimitives.MultiplyAdd(_gradient, 1 - m2, _second2, _second2);
        TensorPrimitives.Sqrt(_second2, _scratch);
        TensorPrimitives.Add(_scratch, 1e-8f, _scratch);
        TensorPrimitives.Divide(_first1, _scratch, _scratch);
        TensorPrimitives.MultiplyAdd(_scratch, -rate * correction, _v, _v);
    }

    /// <summary>The integers that V has come to.</summary>
    public void Store(Span<sbyte> integers)
    {
        AdaRound.Rectified(_v, _sigmoid, _h);
        for (var o = 0; o < _count; o++)
        {
            for (var k = 0; k < _columns; k++)
            {
                var i = o * _width + k;
                integers[(_first + o) * _columns + k] =
                    (sbyte)Math.Clamp((int)_floor[i] + (_h[i] >= 0.5f ? 1 : 0), _method.Least, _method.Greatest);
            }
        }
    }

    /// <summary>V itself, for tests: [outputs padded, columns padded].</summary>
    internal Span<float> Variables => _v;

    /// <summary>Loss and its gradient over rows of the sample.</summary>
    internal (double Loss, ReadOnlyMemory<float> Gradient) Gradient(int firstRow, int rows, float lambda, float beta)
    {
        SetWeights();
        var inputs = _sample.Inputs.AsSpan(firstRow * _width, rows * _width);
        if (_errors.Length != rows * _outputs)
        {
            _errors = new float[rows * _outputs];
        }

        RowProducts.Forward(inputs, _weights, _errors, _width);
        var loss = Errors(firstRow, rows);
        RowProducts.Backward(_errors, inputs, _gradient, _width);

        // dW̃/dV = s·h′(V) where ⌊W/s⌋ + h is inside the type's range; h′ = (ζ − γ)·σ·(1 − σ) where h is inside 0 … 1.
        for (var o = 0; o < _count; o++)
        {
            TensorPrimitives.Multiply(_gradient.AsSpan(o * _width, _columns), _scales[o], _gradient.AsSpan(o * _width, _columns));
        }

        Mask();
        if (lambda != 0)
        {
            loss += Regularize(lambda, beta);
        }

        TensorPrimitives.Subtract(1f, _sigmoid, _scratch);
        TensorPrimitives.Multiply(_scratch, _sigmoid, _scratch);
        TensorPrimitives.Multiply(_scratch, AdaRound.Zeta - AdaRound.Gamma, _scratch);
        TensorPrimitives.Multiply(_gradient, _scratch, _gradient);
        for (var i = 0; i < _gradient.Length; i++)
        {
            _gradient[i] = _h[i] is > 0 and < 1 ? _gradient[i] : 0;
        }

        return (loss, _gradient);
    }

    private void SetWeights()
    {
        AdaRound.Rectified(_v, _sigmoid, _h);
        TensorPrimitives.Add(_floor, _h, _weights);
        TensorPrimitives.Max(_weights, (float)_method.Least, _weights);
        TensorPrimitives.Min(_weights, (float)_method.Greatest, _weights);
        for (var o = 0; o < _outputs; o++)
        {
            var row = _weights.AsSpan(o * _width, _width);
            TensorPrimitives.Multiply(row, _scales[o], row);
            row[_columns..].Clear();
        }
    }

    // From outputs to 2·(f(ŷ) − f(y))·f′(ŷ), in units of the expected noise, averaged over the rows.
    private double Errors(int firstRow, int rows)
    {
        var (low, high) = _method.Clip;
        var loss = 0d;
        for (var o = 0; o < _outputs; o++)
        {
            // columns weights share the noise s²/12·Σx̂² = s²/12·columns·E[x̂²]
            var noise = _scales[o] * _scales[o] / 12 * _meanSquare;
            var unit = noise > 0 ? 1 / (noise * rows) : 0;
            for (var r = 0; r < rows; r++)
            {
                ref var error = ref _errors[r * _outputs + o];
                if (o >= _count)
                {
                    error = 0;
                    continue;
                }

                var y = error + _bias[o];
                var difference = Math.Clamp(y, low, high) - Math.Clamp(_sample.Targets[(firstRow + r) * _sample.Outputs + _first + o], low, high);
                loss += (double)difference * difference * unit;
                error = y > low && y < high ? 2 * difference * unit : 0;
            }
        }

        return loss;
    }

    private void Mask()
    {
        float least = _method.Least, greatest = _method.Greatest;
        for (var i = 0; i < _gradient.Length; i++)
        {
            var q = _floor[i] + _h[i];
            _gradient[i] = q > least && q < greatest ? _gradient[i] : 0;
        }
    }

    // λ·Σ(1 − |2h − 1|^β); its derivative by h is −2λβ·|2h − 1|^(β−1)·sign(2h − 1).
    private double Regularize(float lambda, float beta)
    {
        TensorPrimitives.Multiply(_h, 2f, _scratch);
        TensorPrimitives.Subtract(_scratch, 1f, _scratch);
        TensorPrimitives.Abs(_scratch, _weights); // no longer needed in this step
        TensorPrimitives.Pow(_weights, beta - 1, _weights);
        var sum = 0d;
        for (var o = 0; o < _count; o++)
        {
            for (var i = o * _width; i < o * _width + _columns; i++)
            {
                sum += 1 - _weights[i] * Math.Abs(_scratch[i]);
                _gradient[i] -= 2 * lambda * beta * MathF.CopySign(_weights[i], _scratch[i]);
            }
        }

        return lambda * sum;
    }
}
