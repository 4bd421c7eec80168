using Build.ML.Calibration;
using Build.ML.Calibration.LinearAlgebra;
using Build.ML.Calibration.Statistics;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Tensors;

namespace Build.ML.Quantization.Gptq;

/// <summary>
/// Sums the Hessians of a group of layers over batches of their activation, and where asked for its drift from the exact model's; the rows of a convolution are those its kernel sees at each
/// position.
/// </summary>
internal sealed class HessianCollector : IDisposable
{
    private readonly HessianGroup _group;
    private readonly HessianAccumulator[] _sums;
    private readonly DriftAccumulator[] _drifts;
    private readonly float[] _rows;
    private readonly float[] _exactRows;

    /// <summary>Starts sums.</summary>
    /// <param name="group">The layers.</param>
    /// <param name="threads">Cores to use; results do not depend on it.</param>
    /// <param name="withDrifts">Whether exact activations will be given too.</param>
    public HessianCollector(HessianGroup group, int threads, bool withDrifts = false)
    {
        _group = group;
        _sums = [.. Enumerable.Range(0, group.Hessians).Select(_ => new HessianAccumulator(group.Columns, threads))];
        _drifts = withDrifts ? [.. _sums.Select(_ => new DriftAccumulator(group.Columns, threads))] : [];
        _rows = group.Convolution is null ? [] : new float[HessianAccumulator.PieceRows * group.Columns];
        _exactRows = withDrifts ? new float[_rows.Length] : [];
    }

    /// <summary>Adds a batch.</summary>
    /// <param name="activation">As the layers read it.</param>
    /// <param name="exact">As the exact model has it; needed where drifts are summed.</param>
    /// <exception cref="DiagnosticException">BML5405: NaN or infinite numbers.</exception>
    public void Add(Tensor activation, Tensor? exact = null)
    {
        if (activation.Count == 0)
        {
            return;
        }

        using var elements = Read(activation);
        using var exactElements = _drifts.Length > 0 ? Read(exact!) : default;
        if (_group.Convolution is null)
        {
            _sums[0].Add(elements.Span);
            if (_drifts.Length > 0)
            {
                _drifts[0].Add(exactElements.Span, elements.Span);
            }

            return;
        }

        var geometry = Im2Col.Of(_group.Convolution, activation.Sizes.AsSpan());
        for (var start = 0; start < elements.Span.Length; start += geometry.ImageLength)
        {
            AddImage(geometry, elements.Span.Slice(start, geometry.ImageLength), _drifts.Length > 0 ? exactElements.Span.Slice(start, geometry.ImageLength) : default);
        }
    }

    /// <summary>The sums, which the caller disposes.</summary>
    public LayerHessians Finish()
    {
        var count = _sums[0].Count;
        FloatMatrix?[] drifts = [.. _drifts.Select(d => d.Finish())];
        var drifted = drifts.Any(d => d is not null);
        return new(
            Array.ConvertAll(_sums, s => s.Finish()), count, drifted ? Array.ConvertAll(drifts, d => d ?? new FloatMatrix(_group.Columns, _group.Columns)) : null);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Array.ForEach(_sums, s => s.Dispose());
        Array.ForEach(_drifts, d => d.Dispose());
    }

    private FloatView Read(Tensor activation)
    {
        var elements = FloatView.Of(activation);
        float low = 0, high = 0;
        if (FiniteExtremes.Widen(elements.Span, ref low, ref high))
        {
            return elements;
        }

        elements.Dispose();
        throw new DiagnosticException(
            "BML5405",
            $"On the calibration data the activation '{_group.Activation.Name}' is NaN or infinite, so it has no Hessian. Check the data, or exclude the layers that read it.");
    }

    private void AddImage(Im2Col geometry, ReadOnlySpan<float> image, ReadOnlySpan<float> exact)
    {
        for (var group = 0; group < _sums.Length; group++)
        {
            for (var first = 0; first < geometry.Positions; first += HessianAccumulator.PieceRows)
            {
                var count = Math.Min(HessianAccumulator.PieceRows, geometry.Positions - first);
                var length = count * geometry.Columns;
                for (var i = 0; i < count; i++)
                {
                    geometry.Row(image, group, first + i, _rows.AsSpan(i * geometry.Columns, geometry.Columns));
                }

                _sums[group].Add(_rows.AsSpan(0, length));
                if (_drifts.Length > 0)
                {
                    for (var i = 0; i < count; i++)
                    {
                        geometry.Row(exact, group, first + i, _exactRows.AsSpan(i * geometry.Columns, geometry.Columns));
                    }

                    _drifts[group].Add(_exactRows.AsSpan(0, length), _rows.AsSpan(0, length));
                }
            }
        }
    }
}
