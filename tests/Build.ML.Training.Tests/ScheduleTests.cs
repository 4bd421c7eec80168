using Build.ML.Graph.Catalogs;

namespace Build.ML.Training.Tests;

public sealed class ScheduleTests
{
    static double[] Factors(LearningRateSchedule schedule, int steps) => [.. Enumerable.Range(0, steps).Select(s => schedule.Factor(s, steps))];

    static void Near(double[] expected, double[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        Assert.All(expected.Zip(actual), p => Assert.Equal(p.First, p.Second, 1e-12));
    }

    [Fact]
    public void The_warm_up_rises_in_equal_parts_and_the_schedule_begins_after_it()
    {
        Near([0.25, 0.5, 0.75, 1, 1, 1], Factors(new ConstantSchedule { Warmup = 4 }, 6));
        Near([0.5, 1, 1, 0.75, 0.5, 0.25], Factors(new LinearSchedule { Warmup = 0.34 }, 6));
    }

    [Fact]
    public void Steps_fall_at_milestones_given_as_shares_or_numbers()
    {
        Near([1, 1, 0.1, 0.01], Factors(new StepSchedule(), 4));
        Near([1, 0.5, 0.5, 0.25], Factors(new StepSchedule { Milestones = [1, 3], Gamma = 0.5 }, 4));
    }

    [Fact]
    public void The_cosine_ends_at_its_final_factor() =>
        Near([1, 0.2 + 0.8 * (1 + Math.Sqrt(0.5)) / 2, 0.6, 0.2 + 0.8 * (1 - Math.Sqrt(0.5)) / 2], Factors(new CosineSchedule { Final = 0.2 }, 4));

    [Fact]
    public void One_cycle_rises_to_one_and_falls()
    {
        var factors = Factors(new OneCycleSchedule { Rise = 0.5, Start = 0.1, Final = 0 }, 8);
        Assert.Equal(0.1, factors[0], 1e-12);
        Assert.Equal(0.55, factors[2], 1e-12);
        Assert.Equal(1, factors[4], 1e-12);
        Assert.Equal(0.5, factors[6], 1e-12);
        Assert.All(Factors(new OneCycleSchedule { Rise = 1 }, 8), f => Assert.InRange(f, 0, 1));
    }

    [Fact]
    public void Every_schedule_is_between_zero_and_one_and_has_a_name()
    {
        var catalog = Catalog<LearningRateSchedule>.Scan(typeof(LearningRateSchedule).Assembly);
        Assert.Equal(["constant", "cosine", "linear", "one_cycle", "step"], catalog.Names);
        foreach (var entry in catalog)
        {
            foreach (var steps in new[] { 1, 2, 100 })
            {
                Assert.All(Factors(entry.Create() with { Warmup = 0.1 }, steps), f => Assert.InRange(f, 0, 1));
            }
        }
    }
}
