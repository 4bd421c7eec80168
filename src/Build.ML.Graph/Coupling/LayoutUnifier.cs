using System.Diagnostics.CodeAnalysis;

namespace Build.ML.Graph.Coupling;

/// <summary>
/// Makes two layouts of one dimension equal, splitting axes into products and sums as far as it takes. What cannot be made equal is reported by
/// <c>false</c>: the caller locks both, so that ties made half-way can do no harm.
/// </summary>
sealed class LayoutUnifier
{
    private int _next;

    /// <summary>A new axis; a unit for size 1.</summary>
    public DimensionLayout Fresh(Dimension size) => size.Size switch
    {
        1 => DimensionLayout.Unit,
        > 1 and <= int.MaxValue => DimensionLayout.Of(new AxisCell(size.Size.Value, null, _next++)),
        null => DimensionLayout.Of(new AxisCell(-1, size.Symbol, _next++)),
        { } other => DimensionLayout.Of(new AxisCell(-1, $"size {other}", _next++)), // none, or too many to list
    };

    /// <summary>Ties two layouts.</summary>
    public bool Unify(DimensionLayout left, DimensionLayout right)
    {
        var (a, b) = (left.Resolve(), right.Resolve());
        if (ReferenceEquals(a, b) || (a.Cell is not null && a.Cell == b.Cell) || (a.IsUnit && b.IsUnit))
        {
            return true;
        }

        if (a.Size != b.Size)
        {
            return false;
        }

        if (a.Cell is { } x && b.Cell is { } y)
        {
            // The first met stays.
            return x.Order < y.Order ? Bind(y, a) : Bind(x, b);
        }

        if (a.Cell is not null || b.Cell is not null)
        {
            return a.Cell is not null ? Bind(a.Cell, b) : Bind(b.Cell!, a);
        }

        return a.IsSum && b.IsSum ? UnifySums(a, b)
            : a.IsProduct && b.IsProduct ? UnifyProducts(a, b)
            : a.IsSum ? UnifySumWithProduct(a, b) : UnifySumWithProduct(b, a);
    }

    /// <summary>Whether the two hold the same axes in another order: a dimension joined with a rotated copy of itself.</summary>
    public static bool IsPermutation(DimensionLayout left, DimensionLayout right)
    {
        var a = left.Resolve().Cells().ToList();
        var b = right.Resolve().Cells().ToList();
        return a.Count > 1 && a.Count == b.Count && !a.SequenceEqual(b)
            && a.OrderBy(c => c.Order).SequenceEqual(b.OrderBy(c => c.Order));
    }

    /// <summary>Divides a layout into a first part of <paramref name="count"/> positions and the rest.</summary>
    public bool TryCut(DimensionLayout layout, long count, [NotNullWhen(true)] out DimensionLayout? first, [NotNullWhen(true)] out DimensionLayout? rest)
    {
        layout = layout.Resolve();
        (first, rest) = (null, null);
        if (!layout.IsKnown || count <= 0 || count >= layout.Size)
        {
            return false;
        }

        if (layout.Cell is { } cell)
        {
            (first, rest) = (Fresh(count), Fresh(layout.Size - count));
            cell.Bound = DimensionLayout.Sum(first, rest);
            return true;
        }

        var parts = layout.Parts;
        if (layout.IsSum)
        {
            var index = 0;
            for (; count >= parts[index].Size; index++)
            {
                count -= parts[index].Size;
            }

            if (count == 0)
            {
                (first, rest) = (DimensionLayout.Sum(parts[..index]), DimensionLayout.Sum(parts[index..]));
                return true;
            }

            if (!TryCut(parts[index], count, out var before, out var after))
            {
                return false;
            }

            (first, rest) = (DimensionLayout.Sum([.. parts[..index], before]), DimensionLayout.Sum([after, .. parts[(index + 1)..]]));
            return true;
        }

        // Only between positions of the outermost factor.
        var inner = layout.Size / parts[0].Size;
        if (count % inner != 0 || !TryCut(parts[0], count / inner, out var outerFirst, out var outerRest))
        {
            return false;
        }

        (first, rest) = (DimensionLayout.Product([outerFirst, .. parts[1..]]), DimensionLayout.Product([outerRest, .. parts[1..]]));
        return true;
    }

    /// <summary>Divides a layout into an outer factor of <paramref name="count"/> positions and an inner one.</summary>
    public bool TryFactor(DimensionLayout layout, long count, [NotNullWhen(true)] out DimensionLayout? outer, [NotNullWhen(true)] out DimensionLayout? inner)
    {
        layout = layout.Resolve();
        (outer, inner) = (null, null);
        if (!layout.IsKnown || count <= 0 || layout.Size % count != 0)
        {
            return false;
        }

        if (count == 1 || count == layout.Size)
        {
            (outer, inner) = count == 1 ? (DimensionLayout.Unit, layout) : (layout, DimensionLayout.Unit);
            return true;
        }

        if (layout.Cell is { } cell)
        {
            (outer, inner) = (Fresh(count), Fresh(layout.Size / count));
            cell.Bound = DimensionLayout.Product(outer, inner);
            return true;
        }

        return layout.IsSum ? TryFactorSum(layout, count, out outer, out inner) : TryFactorProduct(layout, count, out outer, out inner);
    }

    private bool TryFactorProduct(DimensionLayout layout, long count, out DimensionLayout? outer, out DimensionLayout? inner)
    {
        (outer, inner) = (null, null);
        var parts = layout.Parts;
        for (var i = 0; i < parts.Length; i++)
        {
            var size = parts[i].Size;
            if (count < size)
            {
                if (size % count != 0 || !TryFactor(parts[i], count, out var before, out var after))
                {
                    return false;
                }

                outer = DimensionLayout.Product([.. parts[..i], before]);
                inner = DimensionLayout.Product([after, .. parts[(i + 1)..]]);
                return true;
            }

            if (count % size != 0)
            {
                return false;
            }

            count /= size;
            if (count == 1)
            {
                (outer, inner) = (DimensionLayout.Product(parts[..(i + 1)]), DimensionLayout.Product(parts[(i + 1)..]));
                return true;
            }
        }

        return false;
    }

    /// <summary>[q; k; v] as (3)(width): every term a multiple of the inner size, all inner parts one and the same.</summary>
    private bool TryFactorSum(DimensionLayout layout, long count, out DimensionLayout? outer, out DimensionLayout? inner)
    {
        (outer, inner) = (null, null);
        var size = layout.Size / count;
        var outers = new List<DimensionLayout>();
        foreach (var part in layout.Parts)
        {
            if (part.Size % size != 0 || !TryFactor(part, part.Size / size, out var o, out var i) || (inner is not null && !Unify(inner, i)))
            {
                return false;
            }

            inner ??= i;
            outers.Add(o);
        }

        outer = DimensionLayout.Sum([.. outers]);
        return true;
    }

    private static bool Bind(AxisCell cell, DimensionLayout layout)
    {
        if (layout.Cells().Contains(cell))
        {
            return false;
        }

        cell.Bound = layout;
        return true;
    }

    private bool UnifySums(DimensionLayout a, DimensionLayout b)
    {
        while (true)
        {
            (a, b) = (a.Resolve(), b.Resolve());
            if (!a.IsSum || !b.IsSum)
            {
                return Unify(a, b);
            }

            var count = Math.Min(a.Parts[0].Size, b.Parts[0].Size);
            if (!TryCut(a, count, out var firstA, out var restA) || !TryCut(b, count, out var firstB, out var restB) || !Unify(firstA, firstB))
            {
                return false;
            }

            (a, b) = (restA, restB);
        }
    }

    private bool UnifySumWithProduct(DimensionLayout sum, DimensionLayout product)
    {
        var first = sum.Parts[0].Size;
        if (first % (product.Size / product.Parts[0].Size) == 0)
        {
            return TryCut(sum, first, out var sumFirst, out var sumRest) && TryCut(product, first, out var productFirst, out var productRest)
                && Unify(sumFirst, productFirst) && Unify(sumRest, productRest);
        }

        return TryFactor(sum, product.Parts[0].Size, out var outer, out var inner) && Unify(DimensionLayout.Product(outer, inner), product);
    }

    /// <summary>
    /// From the outermost factor while both sizes are known, then from the innermost; what is left between must be one unknown size on one side
    /// (batch·heads as one dimension) or the same unknown on both.
    /// </summary>
    private bool UnifyProducts(DimensionLayout a, DimensionLayout b)
    {
        var left = new List<DimensionLayout>();
        var right = new List<DimensionLayout>();
        Open(a, left);
        Open(b, right);
        while (left.Count > 0 && right.Count > 0 && Compare(left, right, 0) is { } fits)
        {
            if (!fits)
            {
                return false;
            }
        }

        while (left.Count > 0 && right.Count > 0 && Compare(left, right, ^1) is { } fits)
        {
            if (!fits)
            {
                return false;
            }
        }

        return (left.Count, right.Count) switch
        {
            (0, 0) => true,
            (1, _) when left[0].Cell is { Size: < 0 } cell && right.Count > 0 => BindUnknown(cell, right),
            (_, 1) when right[0].Cell is { Size: < 0 } cell && left.Count > 0 => BindUnknown(cell, left),
            _ => false,
        };
    }

    private static bool BindUnknown(AxisCell cell, List<DimensionLayout> rest)
    {
        var layout = DimensionLayout.Product([.. rest]).Resolve();
        return layout.Cell == cell || (!layout.IsKnown && Bind(cell, layout));
    }

    /// <summary>Takes one factor off each side at the outer or inner end; null where sizes are not known there.</summary>
    private bool? Compare(List<DimensionLayout> left, List<DimensionLayout> right, Index end)
    {
        var (a, b) = (left[end].Resolve(), right[end].Resolve());
        if (a.IsProduct || b.IsProduct)
        {
            // An earlier step has split it.
            Reopen(left, end, a);
            Reopen(right, end, b);
            return true;
        }

        if (!a.IsKnown || !b.IsKnown)
        {
            if (a.Cell is not { } x || b.Cell is not { } y || (x != y && (x.Symbol is null || x.Symbol != y.Symbol)))
            {
                return null;
            }

            left.RemoveAt(end.GetOffset(left.Count));
            right.RemoveAt(end.GetOffset(right.Count));
            return Unify(a, b);
        }

        if (a.Size == b.Size)
        {
            left.RemoveAt(end.GetOffset(left.Count));
            right.RemoveAt(end.GetOffset(right.Count));
            return Unify(a, b);
        }

        return a.Size > b.Size ? Split(left, a, right, b, end) : Split(right, b, left, a, end);
    }

    private bool Split(List<DimensionLayout> larger, DimensionLayout big, List<DimensionLayout> smaller, DimensionLayout small, Index end)
    {
        var inner = end.IsFromEnd;
        if (big.Size % small.Size != 0 || !TryFactor(big, inner ? big.Size / small.Size : small.Size, out var before, out var after))
        {
            return false;
        }

        larger[end] = inner ? before : after;
        smaller.RemoveAt(end.GetOffset(smaller.Count));
        return Unify(inner ? after : before, small);
    }

    private static void Reopen(List<DimensionLayout> factors, Index end, DimensionLayout layout)
    {
        if (layout.IsProduct)
        {
            var at = end.GetOffset(factors.Count);
            factors.RemoveAt(at);
            factors.InsertRange(at, layout.Parts.ToArray());
        }
    }

    private static void Open(DimensionLayout layout, List<DimensionLayout> factors)
    {
        if (layout.IsProduct)
        {
            factors.AddRange(layout.Parts);
        }
        else
        {
            factors.Add(layout);
        }
    }
}
