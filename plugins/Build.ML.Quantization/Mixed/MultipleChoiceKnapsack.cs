using System.Runtime.InteropServices;

namespace Build.ML.Quantization.Mixed;

/// <summary>One way to treat an item.</summary>
/// <param name="Size">What it takes of the budget; 0 or more.</param>
/// <param name="Cost">What it costs; finite.</param>
internal readonly record struct Choice(long Size, double Cost);

/// <summary>
/// The multiple-choice knapsack problem, solved exactly: one choice for each item, least sum of costs, sum of sizes within a budget. Dynamic programming over the
/// items keeps the states (size so far, cost so far) that no other state beats in both; branch and bound drops those that cannot lead to less than the best
/// solution known, by the Lagrangian bound Σ min_c (cost + λ·size) − λ·budget with the λ that makes it greatest (Kellerer, Pferschy and Pisinger 2004,
/// "Knapsack Problems", chapter 11).
/// </summary>
internal static class MultipleChoiceKnapsack
{
    private readonly record struct State(long Size, double Cost, int Parent, int Choice);

    /// <summary>Solves the problem.</summary>
    /// <param name="items">Choices of each item, at least one.</param>
    /// <param name="budget">Greatest sum of sizes.</param>
    /// <returns>Index of the choice for each item, or null where even the smallest choices exceed the budget. Among equal costs the smaller size is taken.</returns>
    public static int[]? Solve(IReadOnlyList<Choice[]> items, long budget)
    {
        var count = items.Count;
        var leastSize = new long[count + 1];
        for (var i = count - 1; i >= 0; i--)
        {
            leastSize[i] = leastSize[i + 1] + items[i].Min(c => c.Size);
        }

        if (leastSize[0] > budget)
        {
            return null;
        }

        var price = BestPrice(items, budget);
        var bound = new double[count + 1];
        for (var i = count - 1; i >= 0; i--)
        {
            bound[i] = bound[i + 1] + items[i].Min(c => c.Cost + price * c.Size);
        }

        var known = Greedy(items, budget, price);
        var slack = 1e-9 * (Math.Abs(known) + double.Epsilon); // what rounding may hide: the best solution known must not drop itself
        var levels = new State[count + 1][];
        levels[0] = [new(0, 0, -1, -1)];
        for (var i = 0; i < count; i++)
        {
            levels[i + 1] = Extend(levels[i], items[i], s =>
                s.Size + leastSize[i + 1] <= budget && s.Cost + bound[i + 1] + price * (s.Size - budget) <= known + slack);
        }

        var best = 0;
        for (var s = 1; s < levels[count].Length; s++)
        {
            best = levels[count][s].Cost < levels[count][best].Cost ? s : best;
        }

        var chosen = new int[count];
        for (int i = count, state = best; i > 0; i--)
        {
            (chosen[i - 1], state) = (levels[i][state].Choice, levels[i][state].Parent);
        }

        return chosen;
    }

    // States by size; one is kept only if it costs less than every smaller one.
    private static State[] Extend(State[] states, Choice[] choices, Func<State, bool> isPromising)
    {
        var extended = new List<State>(states.Length * choices.Length);
        for (var s = 0; s < states.Length; s++)
        {
            for (var c = 0; c < choices.Length; c++)
            {
                var state = new State(states[s].Size + choices[c].Size, states[s].Cost + choices[c].Cost, s, c);
                if (isPromising(state))
                {
                    extended.Add(state);
                }
            }
        }

        extended.Sort((a, b) => a.Size != b.Size ? a.Size.CompareTo(b.Size)
            : a.Cost != b.Cost ? a.Cost.CompareTo(b.Cost)
            : a.Parent != b.Parent ? a.Parent.CompareTo(b.Parent)
            : a.Choice.CompareTo(b.Choice));
        var kept = 0;
        var list = CollectionsMarshal.AsSpan(extended);
        foreach (var state in list)
        {
            if (kept == 0 || state.Cost < list[kept - 1].Cost)
            {
                list[kept++] = state;
            }
        }

        return list[..kept].ToArray();
    }

    // The bound is concave in λ, its slope the size of the cheapest choices less the budget: bisection finds where that changes sign.
    private static double BestPrice(IReadOnlyList<Choice[]> items, long budget)
    {
        if (SizeAt(items, 0) <= budget)
        {
            return 0;
        }

        double low = 0, high = 1;
        while (SizeAt(items, high) > budget && high < 1e300)
        {
            high *= 16;
        }

        for (var i = 0; i < 200; i++)
        {
            var middle = (low + high) / 2;
            (low, high) = SizeAt(items, middle) > budget ? (middle, high) : (low, middle);
        }

        return high;
    }

    private static long SizeAt(IReadOnlyList<Choice[]> items, double price) => items.Sum(choices => choices[Cheapest(choices, price)].Size);

    private static int Cheapest(Choice[] choices, double price)
    {
        var best = 0;
        for (var c = 1; c < choices.Length; c++)
        {
            var difference = choices[c].Cost + price * choices[c].Size - (choices[best].Cost + price * choices[best].Size);
            best = difference < 0 || (difference == 0 && choices[c].Size < choices[best].Size) ? c : best;
        }

        return best;
    }

    // A good solution to begin with: the cheapest choices at the price where they fit, then whatever single change still fits and gains most.
    private static double Greedy(IReadOnlyList<Choice[]> items, long budget, double price)
    {
        var chosen = items.Select(c => c[Cheapest(c, price)]).ToArray();
        var left = budget - chosen.Sum(c => c.Size);
        if (left < 0)
        {
            chosen = [.. items.Select(c => c.MinBy(x => x.Size))];
            left = budget - chosen.Sum(c => c.Size);
        }

        while (true)
        {
            var (gain, item, better) = (0d, -1, default(Choice));
            for (var i = 0; i < chosen.Length; i++)
            {
                foreach (var choice in items[i])
                {
                    if (choice.Size - chosen[i].Size <= left && chosen[i].Cost - choice.Cost > gain)
                    {
                        (gain, item, better) = (chosen[i].Cost - choice.Cost, i, choice);
                    }
                }
            }

            if (item < 0)
            {
                return chosen.Sum(c => c.Cost);
            }

            left -= better.Size - chosen[item].Size;
            chosen[item] = better;
        }
    }
}
