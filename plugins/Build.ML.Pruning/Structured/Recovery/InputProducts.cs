using Build.ML.Abstractions.Techniques;
using Build.ML.Calibration;
using Build.ML.Calibration.LinearAlgebra;
using Build.ML.Graph.Tensors;

namespace Build.ML.Pruning.Structured.Recovery;

/// <summary>
/// Sums of products of what a layer reads: Σ x̂x̂ᵀ of what it reads now, and Σ x̂xᵀ of that with what it read before pruning. Of images with many positions only as many rows are taken as the
/// system needs, spread over all of them.
/// </summary>
internal sealed class InputProducts : IDisposable
{
    private const int PieceRows = 1024;

    // Rows for each unknown of a row of the weight, and at least.
    private const long RowsPerColumn = 24;
    private const long LeastRows = 16_384;

    private readonly LayerMatrix _before;
    private readonly LayerMatrix _now;
    private readonly StepContext _context;
    private readonly FloatMatrix _beforeRows;
    private readonly FloatMatrix _nowRows;
    private int _pending;

    /// <summary>Nothing summed yet.</summary>
    public InputProducts(LayerMatrix before, LayerMatrix now, StepContext context)
    {
        (_before, _now, _context) = (before, now, context);
        _beforeRows = new FloatMatrix(PieceRows, before.Columns);
        _nowRows = new FloatMatrix(PieceRows, now.Columns);
        Own = new FloatMatrix(now.Columns, now.Columns);
        Cross = new FloatMatrix(now.Columns, before.Columns);
    }

    /// <summary>Σ x̂x̂ᵀ.</summary>
    public FloatMatrix Own { get; }

    /// <summary>Σ x̂xᵀ.</summary>
    public FloatMatrix Cross { get; }

    /// <summary>Adds what both models' layers read, batch by batch.</summary>
    public void Add(IEnumerable<Tensor> before, IEnumerable<Tensor> now)
    {
        var (first, second) = (before.ToArray(), now.ToArray());
        var rows = first.Sum(t => RowsOf(_before, t));
        var every = Math.Max(1, rows / Math.Max(LeastRows, RowsPerColumn * _before.Columns));
        every += every > 1 && every % 2 == 0 ? 1 : 0; // odd, so that it does not fall on the same columns of images all the time
        long next = 0, row = 0;
        for (var batch = 0; batch < first.Length; batch++)
        {
            _context.Cancellation.ThrowIfCancellationRequested();
            using var own = FloatView.Of(second[batch]);
            using var other = FloatView.Of(first[batch]);
            var (reader, otherReader) = (new RowReader(_now, second[batch]), new RowReader(_before, first[batch]));
            var count = RowsOf(_before, first[batch]);
            for (; next < row + count; next += every)
            {
                reader.Read(own.Span, (int)(next - row), _nowRows.Row(_pending));
                otherReader.Read(other.Span, (int)(next - row), _beforeRows.Row(_pending));
                if (++_pending == PieceRows)
                {
                    AddPiece();
                }
            }

            row += count;
        }

        AddPiece();
        Symmetric.Complete(Own.View, 1, _context.Threads);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _beforeRows.Dispose();
        _nowRows.Dispose();
        Own.Dispose();
        Cross.Dispose();
    }

    private void AddPiece()
    {
        if (_pending == 0)
        {
            return;
        }

        var own = _nowRows.View.Block(0, 0, _pending, _now.Columns);
        MatrixProduct.AddGram(Own.View, own, 1, _context.Threads);
        MatrixProduct.Add(Cross.View, own.Transposed, _beforeRows.View.Block(0, 0, _pending, _before.Columns), threads: _context.Threads);
        _pending = 0;
    }

    private static long RowsOf(LayerMatrix layer, Tensor input) =>
        layer.Node.OpType == "Conv" ? input.Sizes[0] * Im2Col.Of(layer.Node, input.Sizes.AsSpan()).Positions : input.Count / layer.Inputs;

    // One row of x: a window of an image, or what is along the last axis.
    private sealed class RowReader(LayerMatrix layer, Tensor input)
    {
        private readonly Im2Col? _geometry = layer.Node.OpType == "Conv" ? Im2Col.Of(layer.Node, input.Sizes.AsSpan()) : null;

        public void Read(ReadOnlySpan<float> values, int row, Span<float> to)
        {
            if (_geometry is null)
            {
                values.Slice(row * layer.Inputs, layer.Inputs).CopyTo(to);
            }
            else
            {
                var image = row / _geometry.Positions;
                _geometry.Row(values.Slice(image * _geometry.ImageLength, _geometry.ImageLength), 0, row % _geometry.Positions, to[..layer.Inputs]);
            }

            if (layer.HasBias)
            {
                to[layer.Inputs] = 1;
            }
        }
    }
}
