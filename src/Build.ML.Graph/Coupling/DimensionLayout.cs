using System.Text;

namespace Build.ML.Graph.Coupling;

/// <summary>
/// How a dimension is made of axes: one axis, a row-major product (768 = 12 heads × 64), or a sum, one after the other (48 = 16 + 32), and nests of these.
/// </summary>
public sealed class DimensionLayout
{
    private readonly DimensionLayout[] _parts;
    private readonly AxisCell? _cell;
    private readonly bool _isSum;

    private DimensionLayout(AxisCell? cell, bool isSum, DimensionLayout[] parts, long size)
    {
        _cell = cell;
        _isSum = isSum;
        _parts = parts;
        Size = size;
    }

    /// <summary>A dimension of one position, of which nothing can be removed.</summary>
    public static DimensionLayout Unit { get; } = new(null, false, [], 1);

    /// <summary>Number of positions, or −1 where it is known at run time only.</summary>
    public long Size { get; }

    /// <summary>Whether the size is known.</summary>
    public bool IsKnown => Size >= 0;

    /// <summary>The axes in it, each once, outermost and first ones first; available once the analysis is done.</summary>
    public IReadOnlyList<ChannelAxis> Axes
    {
        get
        {
            var axes = new List<ChannelAxis>();
            foreach (var cell in Resolve().Cells())
            {
                if (cell.Axis is { } axis && !axes.Contains(axis))
                {
                    axes.Add(axis);
                }
            }

            return axes;
        }
    }

    /// <summary>The axis when it is the whole dimension, else null.</summary>
    public ChannelAxis? Axis => Resolve()._cell?.Axis;

    /// <summary>For each position the position of an axis that it belongs to, or −1 where it is of another axis.</summary>
    /// <param name="axis">An axis of the same analysis.</param>
    /// <exception cref="InvalidOperationException">The size is not known.</exception>
    public int[] PositionsOf(ChannelAxis axis)
    {
        ArgumentNullException.ThrowIfNull(axis);
        if (!IsKnown)
        {
            throw new InvalidOperationException($"The dimension {this} has a size that is known at run time only.");
        }

        var positions = new int[Size];
        Array.Fill(positions, -1);
        Resolve().FillPositions(axis.Cell, positions);
        return positions;
    }

    /// <summary>The number of positions when axes have other sizes.</summary>
    /// <param name="sizeOf">Size of each axis.</param>
    /// <returns>−1 where the size is known at run time only.</returns>
    public long SizeWith(Func<ChannelAxis, long> sizeOf)
    {
        ArgumentNullException.ThrowIfNull(sizeOf);
        return Resolve().Count(sizeOf);
    }

    internal AxisCell? Cell => _cell;

    internal bool IsSum => _isSum;

    internal bool IsProduct => !_isSum && _cell is null;

    internal bool IsUnit => IsProduct && _parts.Length == 0;

    internal ReadOnlySpan<DimensionLayout> Parts => _parts;

    internal static DimensionLayout Of(AxisCell cell) => new(cell, false, [], cell.Size);

    /// <summary>A row-major product, outermost first. Units are left out, products within opened.</summary>
    internal static DimensionLayout Product(params ReadOnlySpan<DimensionLayout> factors)
    {
        var parts = new List<DimensionLayout>(factors.Length);
        foreach (var factor in factors)
        {
            if (factor.IsProduct)
            {
                parts.AddRange(factor._parts);
            }
            else
            {
                parts.Add(factor);
            }
        }

        if (parts.Count < 2)
        {
            return parts.Count == 0 ? Unit : parts[0];
        }

        long size = 1;
        foreach (var part in parts)
        {
            size = part.IsKnown && size >= 0 ? checked(size * part.Size) : -1;
        }

        return new(null, false, [.. parts], size);
    }

    /// <summary>One after the other; all sizes known. Sums within are opened.</summary>
    internal static DimensionLayout Sum(params ReadOnlySpan<DimensionLayout> terms)
    {
        var parts = new List<DimensionLayout>(terms.Length);
        long size = 0;
        foreach (var term in terms)
        {
            size += term.Size;
            if (term._isSum)
            {
                parts.AddRange(term._parts);
            }
            else
            {
                parts.Add(term);
            }
        }

        return parts.Count == 1 ? parts[0] : new(null, true, [.. parts], size);
    }

    /// <summary>The layout with every bound cell replaced by what it stands for.</summary>
    internal DimensionLayout Resolve()
    {
        if (_cell is not null)
        {
            if (_cell.Bound is null)
            {
                return this;
            }

            return _cell.Bound = _cell.Bound.Resolve();
        }

        if (_parts.Length == 0)
        {
            return this;
        }

        var changed = false;
        var parts = new DimensionLayout[_parts.Length];
        for (var i = 0; i < parts.Length; i++)
        {
            parts[i] = _parts[i].Resolve();
            changed |= parts[i] != _parts[i];
        }

        return !changed ? this : _isSum ? Sum(parts) : Product(parts);
    }

    /// <summary>The unbound cells of a resolved layout in order, some more than once.</summary>
    internal IEnumerable<AxisCell> Cells()
    {
        if (_cell is not null)
        {
            yield return _cell;
        }

        foreach (var part in _parts)
        {
            foreach (var cell in part.Cells())
            {
                yield return cell;
            }
        }
    }

    /// <summary>Adds the flat positions of one position of a cell.</summary>
    internal void AddRuns(AxisCell cell, int position, long offset, List<PositionRun> runs)
    {
        var flat = new int[Size];
        Array.Fill(flat, -1);
        FillPositions(cell, flat);
        for (var i = 0; i < flat.Length; i++)
        {
            if (flat[i] == position)
            {
                var start = i;
                while (i + 1 < flat.Length && flat[i + 1] == position)
                {
                    i++;
                }

                runs.Add(new((int)offset + start, i + 1 - start));
            }
        }
    }

    /// <summary>Writes at every flat position the cell's position there; leaves those without the cell.</summary>
    internal void FillPositions(AxisCell cell, Span<int> flat)
    {
        if (_cell is not null)
        {
            for (var i = 0; _cell == cell && i < flat.Length; i++)
            {
                flat[i] = i;
            }

            return;
        }

        if (_isSum)
        {
            var start = 0;
            foreach (var part in _parts)
            {
                part.FillPositions(cell, flat.Slice(start, (int)part.Size));
                start += (int)part.Size;
            }

            return;
        }

        var inner = flat.Length;
        foreach (var part in _parts)
        {
            var size = (int)part.Size;
            var count = inner; // positions of the part and all factors within it
            inner /= size;
            var own = new int[size];
            Array.Fill(own, -1);
            part.FillPositions(cell, own);
            for (var i = 0; i < flat.Length; i++)
            {
                var at = own[i % count / inner];
                flat[i] = at >= 0 ? at : flat[i];
            }
        }
    }

    /// <summary>The names and sizes of the axes, as in <c>(heads 12)(head 64)</c> or <c>a 16 + b 32</c>.</summary>
    public override string ToString()
    {
        var resolved = Resolve();
        var text = new StringBuilder();
        resolved.Write(text, false);
        return text.ToString();
    }

    private long Count(Func<ChannelAxis, long> sizeOf)
    {
        if (_cell is not null)
        {
            return _cell.Axis is { } axis ? sizeOf(axis) : Size;
        }

        long count = _isSum ? 0 : 1;
        foreach (var part in _parts)
        {
            var size = part.Count(sizeOf);
            if (size < 0)
            {
                return -1;
            }

            count = _isSum ? count + size : count * size;
        }

        return count;
    }

    private void Write(StringBuilder text, bool inProduct)
    {
        if (_cell is not null)
        {
            var name = _cell.Axis?.Name ?? _cell.Symbol;
            text.Append(inProduct ? "(" : "").Append(name).Append(name is null ? "" : " ").Append(Size < 0 ? "?" : Size.ToString(null, null)).Append(inProduct ? ")" : "");
            return;
        }

        if (IsUnit)
        {
            text.Append('1');
            return;
        }

        text.Append(_isSum && inProduct ? "(" : "");
        for (var i = 0; i < _parts.Length; i++)
        {
            text.Append(_isSum && i > 0 ? " + " : "");
            _parts[i].Write(text, !_isSum);
        }

        text.Append(_isSum && inProduct ? ")" : "");
    }
}
