namespace Build.ML.Graph.Shapes.Rules;

/// <summary>Matrix products and what is built on them.</summary>
[ShapeRules]
sealed class MatrixShapes : ShapeRuleTable
{
    public MatrixShapes()
    {
        Rule("MatMul", c => c.Set(0, c.ElementOf(0), MatMul(c, c.ShapeOf(0), c.ShapeOf(1))));
        Rule("MatMulInteger", c => c.Set(0, DataType.Int32, MatMul(c, c.ShapeOf(0), c.ShapeOf(1))));
        Rule("QLinearMatMul", c => c.Set(0, c.ElementOf(7), MatMul(c, c.ShapeOf(0), c.ShapeOf(3))));
        Rule("Gemm", c => c.Set(0, c.ElementOf(0), Gemm(c, c.ShapeOf(0), c.ShapeOf(1))));
        Rule("Det", c => c.Set(0, c.ElementOf(0), c.ShapeOf(0) is { } s ? new Shape(s.Dimensions[..^2]) : null));
        Rule("Einsum", Einsum);
        Rule(["FusedMatMul", "TransposeMatMul"], c => c.Set(0, c.ElementOf(0), FusedMatMul(c)), Microsoft);
        Rule("FusedGemm", c => c.Set(0, c.ElementOf(0), Gemm(c, c.ShapeOf(0), c.ShapeOf(1))), Microsoft);
        Rule("GemmFloat8", c => c.Set(0, c.Element("dtype", DataType.Float), Gemm(c, c.ShapeOf(0), c.ShapeOf(1))), Microsoft);
        Rule("QGemm", c => c.Set(0, c.HasInput(7) ? c.ElementOf(8) : DataType.Float, Gemm(c, c.ShapeOf(0), c.ShapeOf(3))), Microsoft);
        Rule(["MatMulIntegerToFloat", "DynamicQuantizeMatMul"], c => c.Set(0, DataType.Float, MatMul(c, c.ShapeOf(0), c.ShapeOf(1))), Microsoft);
        Rule("MatMulInteger16", c => c.Set(0, DataType.Int32, MatMul(c, c.ShapeOf(0), c.ShapeOf(1))), Microsoft);
        // The weight is given transposed and packed: attributes K (inputs) and N (outputs) tell its size.
        Rule(["MatMulNBits", "MatMulFpQ4"], c => c.Set(0, c.ElementOf(0), c.ShapeOf(0)?.With(-1, c.Int("N", 0))), Microsoft);
        Rule("MatMulBnb4", c => c.Set(0, c.ElementOf(0), c.ShapeOf(0)?.With(-1, c.Int(c.Int("transB", 1) != 0 ? "N" : "K", 0))), Microsoft);
    }

    private static Shape? MatMul(ShapeContext c, Shape? a, Shape? b)
    {
        if (a is null || b is null)
        {
            return null;
        }

        if (a.Rank == 0 || b.Rank == 0)
        {
            c.Fail("a scalar has no matrix product");
            return null;
        }

        var (inner, other) = (a[-1], b.Rank == 1 ? b[0] : b[-2]);
        if (inner.IsKnown && other.IsKnown && inner != other)
        {
            c.Fail($"inner sizes {inner} of {a} and {other} of {b} must be equal");
            return null;
        }

        var batch = ShapeFormulas.Broadcast(Batch(a), Batch(b));
        return batch is null ? null : new Shape([.. batch.Dimensions, .. a.Rank > 1 ? [a[-2]] : (Dimension[])[], .. b.Rank > 1 ? [b[-1]] : (Dimension[])[]]);
    }

    private static Shape Batch(Shape shape) => shape.Rank > 2 ? new Shape(shape.Dimensions[..^2]) : new Shape();

    private static Shape? Gemm(ShapeContext c, Shape? a, Shape? b)
    {
        if (a is null || b is null)
        {
            return null;
        }

        if (a.Rank != 2 || b.Rank != 2)
        {
            c.Fail($"A {a} and B {b} must have two dimensions");
            return null;
        }

        var (rows, inner) = c.Int("transA", 0) != 0 ? (a[1], a[0]) : (a[0], a[1]);
        var (other, columns) = c.Int("transB", 0) != 0 ? (b[1], b[0]) : (b[0], b[1]);
        if (inner.IsKnown && other.IsKnown && inner != other)
        {
            c.Fail($"inner sizes {inner} of A {a} and {other} of B {b} must be equal");
            return null;
        }

        return new Shape(rows, columns);
    }

    private static Shape? FusedMatMul(ShapeContext c) => MatMul(
        c, Transposed(c.ShapeOf(0), c.Int("transA", 0) != 0, c.Int("transBatchA", 0) != 0),
        Transposed(c.ShapeOf(1), c.Int("transB", 0) != 0, c.Int("transBatchB", 0) != 0));

    private static Shape? Transposed(Shape? shape, bool matrix, bool batch)
    {
        if (shape is not { Rank: > 1 })
        {
            return shape;
        }

        var d = shape.Dimensions;
        if (batch)
        {
            d = [.. d[1..^1], d[0], d[^1]];
        }

        return new Shape(matrix ? [.. d[..^2], d[^1], d[^2]] : d);
    }

    private static void Einsum(ShapeContext c)
    {
        var sides = c.String("equation", "").Replace(" ", "", StringComparison.Ordinal).Split("->");
        var terms = sides[0].Split(',');
        var sizes = new Dictionary<char, Dimension>();
        Shape ellipsis = new();
        for (var i = 0; i < terms.Length; i++)
        {
            if (c.ShapeOf(i) is not { } shape)
            {
                c.Set(0, c.ElementOf(0), null);
                return;
            }

            var letters = terms[i].Replace("...", "", StringComparison.Ordinal).Length;
            for (int at = 0, axis = 0; at < terms[i].Length; at++)
            {
                if (terms[i][at] == '.')
                {
                    ellipsis = ShapeFormulas.Broadcast(ellipsis, new Shape(shape.Dimensions.Slice(axis, shape.Rank - letters))) ?? ellipsis;
                    (axis, at) = (axis + shape.Rank - letters, at + 2);
                    continue;
                }

                var dimension = shape[axis++];
                if (!sizes.TryGetValue(terms[i][at], out var known) || known.Size == 1 || (!known.IsKnown && dimension.IsKnown))
                {
                    sizes[terms[i][at]] = dimension;
                }
            }
        }

        // Without "->" the output has the letters that occur once, in order, after the ellipsis.
        var output = sides.Length > 1 ? sides[1] : (sides[0].Contains("...", StringComparison.Ordinal) ? "..." : "")
            + string.Concat(sides[0].Where(char.IsLetter).GroupBy(l => l).Where(g => g.Count() == 1).Select(g => g.Key).Order());
        var dimensions = new List<Dimension>();
        for (var at = 0; at < output.Length; at++)
        {
            if (output[at] == '.')
            {
                dimensions.AddRange(ellipsis.Dimensions);
                at += 2;
            }
            else
            {
                dimensions.Add(sizes.GetValueOrDefault(output[at]));
            }
        }

        c.Set(0, c.ElementOf(0), new Shape(dimensions));
    }
}
