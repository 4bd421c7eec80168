using Build.ML.Calibration.Hessians;
using Build.ML.Quantization.Blocks;
using Build.ML.Quantization.Gptq;

namespace Build.ML.Quantization.Tests.Gptq;

public sealed class GptqSolverTests
{
    // Columns: less than a panel, no multiple of a panel, several blocks of 128 and several pieces of depth.
    [Theory]
    [InlineData(5, 4, 0, true, false)]
    [InlineData(45, 4, 16, true, false)]
    [InlineData(45, 3, 16, false, true)]
    [InlineData(150, 4, 32, false, false)]
    [InlineData(150, 2, 32, true, true)]
    [InlineData(410, 4, 128, true, true)]
    [InlineData(410, 8, 256, false, false)]
    public void Codes_are_those_of_the_papers_column_by_column_update_in_double_precision(int columns, int bits, int blockSize, bool symmetric, bool actOrder)
    {
        var problem = new GptqProblem(columns > 300 ? 3 : 9, columns, 3 * columns + 20);
        var format = new BlockFormat(bits, blockSize, symmetric);
        var matrix = problem.Solve(format, 0.01, actOrder);
        var hessian = problem.ExactHessian;
        var order = Enumerable.Range(0, columns).ToArray();
        if (actOrder)
        {
            order = [.. order.OrderByDescending(i => problem.Hessian[i, i])];
        }

        var size = format.Block(columns);
        var same = 0;
        for (var row = 0; row < problem.Rows; row++)
        {
            var scales = matrix.ScalesOf(row).ToArray();
            var zeroPoints = matrix.ZeroPointsOf(row).ToArray();
            var expected = GptqReference.Solve(
                Array.ConvertAll(problem.Row(row).ToArray(), w => (double)w), hessian, 0.01, order, format,
                j => scales[j / size], j => symmetric ? format.Middle : zeroPoints[j / size]);
            same += matrix.CodesOf(row).SequenceEqual(expected) ? 1 : 0;
        }

        // A number within 1e-6 of half-way between two codes may go the other way in single precision, and the row's rest with it.
        Assert.InRange(same, problem.Rows - 1, problem.Rows);
    }

    [Fact]
    public void Errors_lie_between_the_best_of_all_roundings_and_rounding_to_nearest()
    {
        var problem = new GptqProblem(60, 6, 40);
        var format = new BlockFormat(2, 0, false);
        var nearest = problem.Errors(problem.Nearest(format));
        var solved = problem.Errors(problem.Solve(format, 0, actOrder: true));
        var best = BruteForce(problem, problem.Nearest(format));
        for (var row = 0; row < problem.Rows; row++)
        {
            Assert.True(solved[row] >= best[row] * (1 - 1e-6), $"row {row}: {solved[row]} is less than the least of all, {best[row]}");
        }

        // Of what rounding to nearest loses beyond the best possible, most is recovered.
        Assert.True(solved.Sum() < nearest.Sum());
        Assert.InRange((solved.Sum() - best.Sum()) / (nearest.Sum() - best.Sum()), 0, 0.35);
    }

    [Fact]
    public void Bits_do_not_depend_on_threads_nor_on_which_rows_are_solved_together()
    {
        var problem = new GptqProblem(600, 70, 300);
        var format = new BlockFormat(4, 32, true);
        var expected = problem.Solve(format, actOrder: true, threads: 1);
        Assert.Equal(expected.Codes, problem.Solve(format, actOrder: true, threads: 3).Codes);
        var matrix = problem.Nearest(format);
        using var factor = HessianFactor.Of(problem.Hessian, 0.01, true, 2);
        GptqSolver.Solve(factor, problem.Read, matrix, 0, 100, 2);
        GptqSolver.Solve(factor, problem.Read, matrix, 100, 500, 2);
        Assert.Equal(expected.Codes, matrix.Codes);
    }

    [Fact]
    public void Uncorrelated_inputs_leave_nothing_to_make_up_for()
    {
        var problem = new GptqProblem(20, 64, 200);
        for (var i = 0; i < 64; i++)
        {
            problem.Hessian.Row(i)[..i].Clear();
            problem.Hessian.Row(i)[(i + 1)..].Clear();
        }

        var format = new BlockFormat(4, 16, false);
        Assert.Equal(problem.Nearest(format).Codes, problem.Solve(format).Codes);
    }

    [Fact]
    public void Inputs_that_were_always_zero_are_rounded_to_nearest()
    {
        var problem = new GptqProblem(20, 64, 200);
        foreach (var dead in new[] { 0, 17, 63 })
        {
            problem.Hessian.Row(dead).Clear();
            for (var i = 0; i < 64; i++)
            {
                problem.Hessian[i, dead] = 0;
            }
        }

        var format = new BlockFormat(4, 16, true);
        var nearest = problem.Nearest(format);
        var solved = problem.Solve(format, actOrder: true);
        using var factor = HessianFactor.Of(problem.Hessian, 0.01, true, 1);
        Assert.Equal(3, factor.DeadColumns);
        Assert.NotEqual(nearest.Codes, solved.Codes);
        for (var row = 0; row < 20; row++)
        {
            Assert.Equal(nearest.CodesOf(row)[17], solved.CodesOf(row)[17]);
            Assert.Equal(nearest.CodesOf(row)[63], solved.CodesOf(row)[63]);
        }
    }

    [Fact]
    public void A_hessian_that_cannot_be_factored_gets_ten_times_the_dampening_until_it_can()
    {
        var problem = new GptqProblem(20, 64, 200);

        // Not positive definite by more than 1 % of the mean diagonal, as after a broken sum.
        var mean = Enumerable.Range(0, 64).Average(i => problem.Hessian[i, i]);
        problem.Hessian[30, 30] = -0.05f * mean;
        using var factor = HessianFactor.Of(problem.Hessian, 0.01, false, 2);
        Assert.InRange(factor.Dampening, 0.0999, 10.001);
        Assert.Equal(0, Math.Log10(factor.Dampening / 0.01) % 1, 6);
        using var fewer = new GptqProblem(20, 64, 30).Hessian;
        using var singular = HessianFactor.Of(fewer, 0, false, 2);
        Assert.InRange(singular.Dampening, 0, 1e-3);
        fewer[3, 3] = float.NaN;
        Assert.Throws<ArithmeticException>(() => HessianFactor.Of(fewer, 0.01, false, 2));
    }

    [Fact]
    public void Reported_errors_are_those_of_the_dampened_hessian()
    {
        var problem = new GptqProblem(40, 77, 300);
        var format = new BlockFormat(3, 16, true);
        var matrix = problem.Solve(format, actOrder: true);
        using var factor = HessianFactor.Of(problem.Hessian, 0.01, true, 2);
        var errors = GptqSolver.Measure(factor, problem.Read, matrix, 0, 40);
        var mean = Enumerable.Range(0, 77).Average(i => problem.Hessian[i, i]);
        for (var i = 0; i < 77; i++)
        {
            problem.Hessian[i, i] += 0.01f * mean;
        }

        // Half: the Hessian is twice the mean of outer products. 1e-4: sums of single-precision products.
        Assert.Equal(1, errors.Error / (problem.Errors(matrix).Sum() / 2), 1e-4);
        Assert.Equal(1, errors.NearestError / (problem.Errors(problem.Nearest(format)).Sum() / 2), 1e-4);
    }

    private static double[] BruteForce(GptqProblem problem, BlockQuantizedMatrix matrix)
    {
        var hessian = problem.ExactHessian;
        var levels = matrix.Format.Levels;
        var all = (int)Math.Pow(levels, problem.Columns);
        var best = new double[problem.Rows];
        Parallel.For(0, problem.Rows, row =>
        {
            var (scale, zeroPoint) = (matrix.ScalesOf(row)[0], matrix.ZeroPointsOf(row)[0]);
            var difference = new double[problem.Columns];
            best[row] = double.PositiveInfinity;
            for (var choice = 0; choice < all; choice++)
            {
                for (int j = 0, rest = choice; j < difference.Length; j++, rest /= levels)
                {
                    difference[j] = problem.Row(row)[j] - (rest % levels - zeroPoint) * scale;
                }

                best[row] = Math.Min(best[row], GptqReference.Error(difference, hessian));
            }
        });
        return best;
    }
}
