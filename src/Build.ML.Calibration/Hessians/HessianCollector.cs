using Build.ML.Calibration.LinearAlgebra;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Tensors;

namespace Build.ML.Calibration.Hessians;

/// <summary>
/// Sums the Hessians of a group of layers over batches of their activation, and where asked for its drift from the exact model's; the rows of a convolution are those its kernel sees at each
/// position.
/// </summary>
public sealed class HessianCollector : IDisposable
{
    private readonly InputGroup _group;
    private readonly InputRows _rows;
    private readonly HessianAccumulator[] _sums;
    private readonly DriftAccumulator[] _drifts;

    /// <summary>Starts sums.</summary>
    /// <param name="group">The layers.</param>
    /// <param name="threads">Cores to use; results do not depend on it.</param>
    /// <param name="withDrifts">Whether exact activations will be given too.</param>
    public HessianCollector(InputGroup group, int threads, bool withDrifts = false)
    {
        ArgumentNullException.ThrowIfNull(group);
        (_group, _rows) = (group, new InputRows(group));
        _sums = [.. Enumerable.Range(0, group.Hessians).Select(_ => new HessianAccumulator(group.Columns, threads))];
        _drifts = withDrifts ? [.. _sums.Select(_ => new DriftAccumulator(group.Columns, threads))] : [];
    }

    /// <summary>Adds a batch.</summary>
    /// <param name="activation">As the layers read it.</param>
    /// <param name="exact">As the exact model has it; needed where drifts are summed.</param>
    /// <exception cref="DiagnosticException">BML5405: NaN or infinite numbers.</exception>
    public void Add(Tensor activation, Tensor? exact = null)
    {
        ArgumentNullException.ThrowIfNull(activation);
        _rows.Visit(activation, _drifts.Length > 0 ? exact : null, (hessian, rows, exactRows) =>
        {
            _sums[hessian].Add(rows);
            if (_drifts.Length > 0)
            {
                _drifts[hessian].Add(exactRows, rows);
            }
        });
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
}
