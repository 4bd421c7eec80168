using System.Runtime.InteropServices;
using System.Text;
using Build.ML.Calibration.LinearAlgebra;
using Build.ML.Calibration.Statistics;
using Build.ML.Graph.Tensors;

namespace Build.ML.Calibration.Hessians;

/// <summary>Hessians of convolutions while they are summed, and afterwards.</summary>
internal sealed class ConvolutionHessians : IDisposable
{
    private HessianCollector? _collector;
    private LayerHessians? _hessians;

    public ConvolutionHessians(HessianCollector collector) => _collector = collector;

    public ConvolutionHessians(LayerHessians hessians) => _hessians = hessians;

    /// <summary>The sums; nothing can be added any more.</summary>
    public LayerHessians Hessians
    {
        get
        {
            if (_hessians is null)
            {
                _hessians = _collector!.Finish();
                _collector.Dispose();
                _collector = null;
            }

            return _hessians;
        }
    }

    /// <summary>Adds a batch.</summary>
    public void Add(Tensor activation) => _collector!.Add(activation);

    /// <inheritdoc/>
    public void Dispose()
    {
        _collector?.Dispose();
        _hessians?.Dispose();
    }
}

/// <summary>Hessians of all convolutions that read an activation with one geometry: one for each group of channels.</summary>
/// <param name="group">The convolutions.</param>
/// <param name="threads">Cores to use; results do not depend on it.</param>
internal sealed class ConvolutionHessianStatistic(InputGroup group, int threads) : ActivationStatistic<ConvolutionHessians>
{
    /// <inheritdoc/>
    public override string Name => "Hessians of a convolution with " + InputGroup.Geometry(group.First);

    /// <inheritdoc/>
    public override ConvolutionHessians Create() => new(new HessianCollector(group, threads));

    /// <inheritdoc/>
    public override bool Add(ConvolutionHessians seen, Tensor activation)
    {
        seen.Add(activation);
        return true;
    }

    /// <inheritdoc/>
    public override void Write(ConvolutionHessians seen, Stream to)
    {
        using var writer = new BinaryWriter(to, Encoding.UTF8, leaveOpen: true);
        writer.Write(seen.Hessians.Count);
        foreach (var matrix in seen.Hessians.Matrices)
        {
            for (nint row = 0; row < matrix.Rows; row++)
            {
                writer.Write(MemoryMarshal.AsBytes(matrix.Row(row)));
            }
        }
    }

    /// <inheritdoc/>
    public override ConvolutionHessians Read(Stream from)
    {
        using var reader = new BinaryReader(from, Encoding.UTF8, leaveOpen: true);
        var count = reader.ReadInt64();
        var matrices = new FloatMatrix[group.Hessians];
        for (var i = 0; i < matrices.Length; i++)
        {
            matrices[i] = new FloatMatrix(group.Columns, group.Columns);
            for (nint row = 0; row < group.Columns; row++)
            {
                from.ReadExactly(MemoryMarshal.AsBytes(matrices[i].Row(row)));
            }
        }

        return new(new LayerHessians(matrices, count));
    }
}
