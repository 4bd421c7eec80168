using Build.ML.Calibration;
using Build.ML.Calibration.LinearAlgebra;
using Build.ML.Calibration.Statistics;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Tensors;

namespace Build.ML.Quantization.Gptq;

/// <summary>Sums the Hessians of a group of layers over batches of their activation; the rows of a convolution are those its kernel sees at each position.</summary>
internal sealed class HessianCollector : IDisposable
{
    private readonly HessianGroup _group;
    private readonly HessianAccumulator[] _sums;
    private readonly float[] _rows;

    public HessianCollector(HessianGroup group, int threads)
    {
        _group = group;
        _sums = [.. Enumerable.Range(0, group.Hessians).Select(_ => new HessianAccumulator(group.Columns, threads))];
        _rows = group.Convolution is null ? [] : new float[HessianAccumulator.PieceRows * group.Columns];
    }

    /// <summary>Inputs seen by each Hessian.</summary>
    public long Count => _sums[0].Count;

    /// <summary>Adds a batch.</summary>
    /// <exception cref="DiagnosticException">BML5405: NaN or infinite numbers.</exception>
    public void Add(Tensor activation)
    {
        if (activation.Count == 0)
        {
            return;
        }

        using var elements = FloatView.Of(activation);
        float low = 0, high = 0;
        if (!FiniteExtremes.Widen(elements.Span, ref low, ref high))
        {
            throw new DiagnosticException(
                "BML5405",
                $"On the calibration data the activation '{_group.Activation.Name}' is NaN or infinite, so it has no Hessian. Check the data, or exclude the layers that read it.");
        }

        if (_group.Convolution is null)
        {
            _sums[0].Add(elements.Span);
            return;
        }

        var geometry = Im2Col.Of(_group.Convolution, activation.Sizes.AsSpan());
        for (var start = 0; start < elements.Span.Length; start += geometry.ImageLength)
        {
            AddImage(geometry, elements.Span.Slice(start, geometry.ImageLength));
        }
    }

    /// <summary>The Hessians, which the caller disposes.</summary>
    public FloatMatrix[] Finish() => Array.ConvertAll(_sums, s => s.Finish());

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var sum in _sums)
        {
            sum.Dispose();
        }
    }

    private void AddImage(Im2Col geometry, ReadOnlySpan<float> image)
    {
        for (var group = 0; group < _sums.Length; group++)
        {
            for (var first = 0; first < geometry.Positions; first += HessianAccumulator.PieceRows)
            {
                var count = Math.Min(HessianAccumulator.PieceRows, geometry.Positions - first);
                for (var i = 0; i < count; i++)
                {
                    geometry.Row(image, group, first + i, _rows.AsSpan(i * geometry.Columns, geometry.Columns));
                }

                _sums[group].Add(_rows.AsSpan(0, count * geometry.Columns));
            }
        }
    }
}
