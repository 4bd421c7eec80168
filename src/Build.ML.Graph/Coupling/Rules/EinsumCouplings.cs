namespace Build.ML.Graph.Coupling.Rules;

/// <summary>Sums of products written with one letter a dimension: equal letters are one dimension.</summary>
[CouplingRules]
sealed class EinsumCouplings : CouplingRuleTable
{
    public EinsumCouplings() => Rule("Einsum", Einsum);

    private static void Einsum(CouplingContext c)
    {
        var equation = c.Node.String("equation", "").Replace(" ", "", StringComparison.Ordinal);
        if (equation.Split("->") is not [var left, var output] || equation.Contains('.', StringComparison.Ordinal))
        {
            throw new InvalidOperationException($"its equation '{equation}' is of a form that is not followed");
        }

        var terms = left.Split(',');
        var dimensions = new Dictionary<char, DimensionLayout>();
        for (var i = 0; i < terms.Length; i++)
        {
            var x = c.Layouts(i);
            if (terms[i].Distinct().Count() != terms[i].Length)
            {
                throw new InvalidOperationException($"its equation '{equation}' takes a diagonal");
            }

            for (var k = 0; k < terms[i].Length; k++)
            {
                var letter = terms[i][k];
                c.Role(i, k, output.Contains(letter, StringComparison.Ordinal) ? AxisRole.Output : AxisRole.Input);
                if (!dimensions.TryGetValue(letter, out var known) || known.Size == 1)
                {
                    dimensions[letter] = x[k];
                }
                else if (x[k].Size != 1)
                {
                    c.Unify(known, x[k]);
                }
            }
        }

        c.Set(0, [.. output.Select(letter => dimensions[letter])]);
        foreach (var (letter, layout) in dimensions)
        {
            var readers = Enumerable.Range(0, terms.Length).Where(i => terms[i].Contains(letter, StringComparison.Ordinal) && !c.IsConstant(i)).Count();
            if (!output.Contains(letter, StringComparison.Ordinal))
            {
                if (readers == Enumerable.Range(0, terms.Length).Count(i => terms[i].Contains(letter, StringComparison.Ordinal)))
                {
                    c.Mark(layout, AxisMark.Summed);
                }
            }
            else if (readers > 1 && output.Length > 2)
            {
                c.Mark(layout, AxisMark.Heads);
            }
        }
    }
}
