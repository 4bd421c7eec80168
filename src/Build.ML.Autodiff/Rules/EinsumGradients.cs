using Build.ML.Graph.Ir;

namespace Build.ML.Autodiff.Rules;

/// <summary>
/// Einsum: the gradient of an operand is the Einsum of the output's gradient and the other operands, with the operand's letters as the result; letters that only the operand has were
/// summed, so that their gradient is the same along them.
/// </summary>
[Gradients]
public sealed class EinsumGradients : GradientTable
{
    /// <summary>Names the rule.</summary>
    public EinsumGradients() => Rule("Einsum", (n, g, op) =>
    {
        var (terms, output) = Explicit(n);
        var gradients = new Value?[terms.Length];
        for (var i = 0; i < terms.Length; i++)
        {
            if (!n.Needs(i))
            {
                continue;
            }

            var others = new List<Value> { g };
            var known = new List<string> { output };
            for (var j = 0; j < terms.Length; j++)
            {
                if (j != i)
                {
                    others.Add(n.Input(j));
                    known.Add(terms[j]);
                }
            }

            var kept = string.Concat(terms[i].Where(l => known.Any(k => k.Contains(l, StringComparison.Ordinal))));
            var gradient = op.Node("Einsum", others.ToArray(), NodeAttribute.String("equation", $"{string.Join(',', known)}->{kept}"));
            var sizes = gradient.Sizes();
            gradients[i] = op.Reshape(gradient, [.. terms[i].Select(l => kept.IndexOf(l, StringComparison.Ordinal) is >= 0 and var at ? sizes[at] : 1)]);
        }

        return gradients;
    });

    // The terms with letters in the place of "...", and the output, which an equation may leave out.
    private static (string[] Terms, string Output) Explicit(Forward n)
    {
        var equation = n.String("equation", "").Replace(" ", "", StringComparison.Ordinal);
        var sides = equation.Split("->");
        var terms = sides[0].Split(',');
        var output = sides.Length > 1 ? sides[1] : (sides[0].Contains("...", StringComparison.Ordinal) ? "..." : "")
            + string.Concat(sides[0].Where(char.IsLetter).GroupBy(l => l).Where(l => l.Count() == 1).Select(l => l.Key).Order());
        var free = string.Concat("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".Where(l => !equation.Contains(l, StringComparison.Ordinal)));
        var longest = 0;
        for (var i = 0; i < terms.Length; i++)
        {
            if (terms[i].Contains("...", StringComparison.Ordinal))
            {
                var count = n.Input(i).Rank() - (terms[i].Length - 3);
                longest = Math.Max(longest, count);
                terms[i] = terms[i].Replace("...", free[^count..], StringComparison.Ordinal); // broadcasting aligns the last axes
            }

            if (terms[i].Distinct().Count() != terms[i].Length)
            {
                throw n.NotDifferentiable($"where a term repeats a letter, as '{terms[i]}' does");
            }
        }

        return (terms, output.Replace("...", free[^longest..], StringComparison.Ordinal));
    }
}
