using System.Numerics.Tensors;
using Build.ML.Graph.Coupling;

namespace Build.ML.Pruning.Structured.Importances;

/// <summary>Adds up the elements of a constant by the position of an axis that they belong to.</summary>
internal sealed class PositionSlices
{
    private readonly int[] _positions;
    private readonly int _inner;

    /// <summary>For the constant of a place.</summary>
    public PositionSlices(AxisPlace place)
    {
        _positions = place.ToAxisPositions();
        var sizes = place.Constant.Constant!.Sizes;
        _inner = 1;
        for (var d = place.Dimension + 1; d < sizes.Length; d++)
        {
            _inner = checked(_inner * (int)sizes[d]);
        }
    }

    /// <summary>Adds a piece of the constant's elements.</summary>
    /// <param name="elements">Some of them, in order.</param>
    /// <param name="start">Index of the first.</param>
    /// <param name="sums">One a position of the axis.</param>
    public void Add(ReadOnlySpan<float> elements, int start, Span<double> sums)
    {
        var along = start / _inner % _positions.Length;
        var left = _inner - start % _inner;
        while (elements.Length > 0)
        {
            var run = elements[..Math.Min(left, elements.Length)];
            if (_positions[along] is var position and >= 0)
            {
                sums[position] += run.Length == 1 ? run[0] : TensorPrimitives.Sum(run);
            }

            elements = elements[run.Length..];
            left = _inner;
            along = along + 1 == _positions.Length ? 0 : along + 1;
        }
    }
}
