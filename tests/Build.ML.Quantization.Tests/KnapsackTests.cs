using Build.ML.Quantization.Mixed;

namespace Build.ML.Quantization.Tests;

public sealed class KnapsackTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void The_cost_is_that_of_trying_every_combination(int seed)
    {
        var random = new Random(seed);
        for (var trial = 0; trial < 300; trial++)
        {
            var items = Enumerable.Range(0, random.Next(1, 7)).Select(_ => Enumerable.Range(0, random.Next(1, 5))
                .Select(_ => new Choice(random.Next(0, 40), trial % 3 == 0 ? random.Next(0, 6) : Math.Exp(random.NextDouble() * 12))).ToArray()).ToArray();
            long least = items.Sum(i => i.Min(c => c.Size)), most = items.Sum(i => i.Max(c => c.Size));
            var budget = random.NextInt64(least, most + 2);
            var chosen = MultipleChoiceKnapsack.Solve(items, budget)!;
            Assert.True(chosen.Select((c, i) => items[i][c].Size).Sum() <= budget);
            Assert.Equal(BruteForce(items, budget, 0), chosen.Select((c, i) => items[i][c].Cost).Sum(), 1e-9);
        }
    }

    [Fact]
    public void A_budget_below_the_smallest_choices_has_no_solution() =>
        Assert.Null(MultipleChoiceKnapsack.Solve([[new(3, 1), new(5, 0)], [new(2, 1)]], 4));

    [Fact]
    public void Three_hundred_layers_with_noises_over_six_orders_of_magnitude_are_solved_in_a_second()
    {
        var random = new Random(7);
        var items = Enumerable.Range(0, 300).Select(_ =>
        {
            var size = 4096L * random.Next(1, 300);
            var noise = Math.Exp(random.NextDouble() * 14 - 14);
            return new Choice[] { new(size * 5 / 2, noise * 60), new(size * 9 / 2, noise * 4), new(size * 17 / 2, noise / 64) };
        }).ToArray();
        var clock = System.Diagnostics.Stopwatch.StartNew();
        Assert.NotNull(MultipleChoiceKnapsack.Solve(items, items.Sum(i => i[1].Size)));
        Assert.True(clock.Elapsed.TotalSeconds < 30, $"took {clock.Elapsed.TotalSeconds} s"); // a busy machine; trying all choices would take for ever
    }

    private static double BruteForce(Choice[][] items, long budget, int item) =>
        budget < 0 ? double.PositiveInfinity : item == items.Length ? 0
        : items[item].Min(c => c.Cost + BruteForce(items, budget - c.Size, item + 1));
}
