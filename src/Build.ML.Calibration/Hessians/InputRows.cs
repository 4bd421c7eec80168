using Build.ML.Calibration.LinearAlgebra;
using Build.ML.Calibration.Statistics;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Tensors;

namespace Build.ML.Calibration.Hessians;

/// <summary>Rows that a group of layers multiplies, of one batch of its activation: those of a product, or what a convolution's kernel sees at each position.</summary>
/// <param name="group">The layers.</param>
internal sealed class InputRows(InputGroup group)
{
    private readonly float[] _rows = group.Convolution is null ? [] : new float[HessianAccumulator.PieceRows * group.Columns];
    private float[] _exactRows = [];

    /// <summary>Takes some rows.</summary>
    /// <param name="hessian">Group of a convolution's channels, else 0.</param>
    /// <param name="rows">Whole rows, at most <see cref="HessianAccumulator.PieceRows"/> of a convolution.</param>
    /// <param name="exact">As many of the exact model, or none.</param>
    public delegate void Visitor(int hessian, ReadOnlySpan<float> rows, ReadOnlySpan<float> exact);

    /// <summary>Shows all rows in order.</summary>
    /// <param name="activation">As the layers read it.</param>
    /// <param name="exact">As the exact model has it, or null.</param>
    /// <param name="visit">Gets them.</param>
    /// <exception cref="DiagnosticException">BML5405: NaN or infinite numbers.</exception>
    public void Visit(Tensor activation, Tensor? exact, Visitor visit)
    {
        if (activation.Count == 0)
        {
            return;
        }

        using var elements = Read(activation);
        using var exactElements = exact is null ? default : Read(exact);
        if (group.Convolution is null)
        {
            visit(0, elements.Span, exactElements.Span);
            return;
        }

        if (exact is not null && _exactRows.Length == 0)
        {
            _exactRows = new float[_rows.Length];
        }

        var geometry = Im2Col.Of(group.Convolution, activation.Sizes.AsSpan());
        for (var start = 0; start < elements.Span.Length; start += geometry.ImageLength)
        {
            var image = elements.Span.Slice(start, geometry.ImageLength);
            var exactImage = exact is null ? default : exactElements.Span.Slice(start, geometry.ImageLength);
            for (var hessian = 0; hessian < group.Hessians; hessian++)
            {
                for (var first = 0; first < geometry.Positions; first += HessianAccumulator.PieceRows)
                {
                    var count = Math.Min(HessianAccumulator.PieceRows, geometry.Positions - first);
                    visit(
                        hessian, Unfold(geometry, image, hessian, first, count, _rows),
                        exact is null ? default : Unfold(geometry, exactImage, hessian, first, count, _exactRows));
                }
            }
        }
    }

    private static ReadOnlySpan<float> Unfold(Im2Col geometry, ReadOnlySpan<float> image, int group, int first, int count, float[] rows)
    {
        for (var i = 0; i < count; i++)
        {
            geometry.Row(image, group, first + i, rows.AsSpan(i * geometry.Columns, geometry.Columns));
        }

        return rows.AsSpan(0, count * geometry.Columns);
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
            $"On the calibration data the activation '{group.Activation.Name}' is NaN or infinite, so it has no Hessian. Check the data, or exclude the layers that read it.");
    }
}
