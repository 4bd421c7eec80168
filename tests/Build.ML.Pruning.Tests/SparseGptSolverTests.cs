using Build.ML.Calibration.Hessians;
using Build.ML.Calibration.LinearAlgebra;
using Build.ML.Pruning.Calibrated;
using Build.ML.Pruning.SparseGpt;
using Build.ML.Pruning.Wanda;

namespace Build.ML.Pruning.Tests;

public sealed class SparseGptSolverTests
{
    [Theory]
    [InlineData(40, 24, 0.5, 128)]
    [InlineData(300, 150, 0.5, 128)] // several tiles, a last window that is shorter
    [InlineData(17, 130, 0.3, 32)]
    [InlineData(5, 9, 0.77, 8)]
    [InlineData(9, 16, 0, 8)]
    [InlineData(9, 16, 1, 8)]
    public void A_matrix_loses_exactly_as_many_weights_as_asked_for(int rows, int columns, double sparsity, int window)
    {
        var problem = new Problem(rows, columns, 3 * columns);
        var zeros = (long)Math.Round(sparsity * rows * columns);
        var pruned = problem.Solve(zeros, null, window);
        Assert.Equal(zeros, pruned.Count(w => w == 0));
    }

    [Theory]
    [InlineData(2, 4, 32, 1)]
    [InlineData(1, 4, 30, 1)] // a last, shorter group
    [InlineData(4, 8, 200, 1)]
    [InlineData(3, 7, 150, 1)] // groups that cross windows and panels
    [InlineData(20, 64, 300, 1)]
    [InlineData(2, 4, 6, 9)] // channels at each of nine places of a kernel
    public void Of_every_M_weights_along_the_summed_axis_exactly_N_stay(int keep, int of, int channels, int inner)
    {
        var problem = new Problem(33, channels * inner, 4 * channels * inner);
        var pruned = problem.Solve(0, new(keep, of, channels, inner), 128);
        for (var row = 0; row < problem.Rows; row++)
        {
            for (var place = 0; place < inner; place++)
            {
                for (var first = 0; first < channels; first += of)
                {
                    var group = Enumerable.Range(first, Math.Min(of, channels - first)).Select(c => pruned[row * problem.Columns + c * inner + place]).ToArray();
                    Assert.Equal(Math.Max(group.Length - keep, 0), group.Count(w => w == 0));
                }
            }
        }
    }

    [Fact]
    public void With_inputs_that_do_not_go_together_weights_stay_as_they_are_and_the_mask_is_Wandas()
    {
        // A diagonal Hessian with powers of two, so that products are exact: |w|·√H_jj orders as Wanda's |w|·‖X_j‖.
        const int Rows = 24, Columns = 40;
        var weights = Numbers(5, Rows * Columns);
        using var hessian = new FloatMatrix(Columns, Columns);
        var norms = new float[Columns];
        for (var j = 0; j < Columns; j++)
        {
            norms[j] = MathF.Pow(2, j % 5 - 2);
            hessian[j, j] = norms[j] * norms[j];
        }

        var groups = new ColumnGroups(2, 4, Columns, 1);
        using var factor = HessianFactor.Of(hessian, 0, false, 2);
        var pruned = new float[weights.Length];
        SparseGptSolver.Solve(factor, Reader(weights, Columns), 0, Rows, 0, groups, 128, pruned, 2);
        var wanda = (float[])weights.Clone();
        using var row = new WandaPruner.Row(Columns);
        for (var i = 0; i < Rows; i++)
        {
            row.Prune(wanda.AsSpan(i * Columns, Columns), norms, 0, groups);
        }

        Assert.Equal(wanda, pruned);
    }

    [Fact]
    public void With_equal_inputs_that_do_not_go_together_it_is_magnitude_pruning()
    {
        const int Rows = 24, Columns = 64;
        var weights = Numbers(6, Rows * Columns);
        using var hessian = new FloatMatrix(Columns, Columns);
        for (var j = 0; j < Columns; j++)
        {
            hessian[j, j] = 1;
        }

        using var factor = HessianFactor.Of(hessian, 0, false, 2);
        var pruned = new float[weights.Length];
        SparseGptSolver.Solve(factor, Reader(weights, Columns), 0, Rows, weights.Length / 2, null, 128, pruned, 2); // one window: all weights compared
        var median = weights.Select(Math.Abs).Order().ElementAt(weights.Length / 2);
        Assert.Equal(weights.Select(w => Math.Abs(w) < median ? 0 : w), pruned);
    }

    [Theory]
    [InlineData(10)]
    [InlineData(40)]
    public void The_weights_that_stay_are_the_least_squares_solution_once_all_zeros_are_at_the_front(int zeros)
    {
        // Columns are fixed from the first on; where all that go come before all that stay, nothing is fixed too early and the updates must end at the exact refit.
        const int Columns = 64;
        var problem = new Problem(1, Columns, 400);
        var weights = problem.Weights.ToArray();
        for (var j = 0; j < Columns; j++)
        {
            weights[j] = j < zeros ? 1e-3f * weights[j] : weights[j] + Math.Sign(weights[j]);
        }

        var pruned = problem.Solve(zeros, null, 128, weights);
        Assert.All(pruned[..zeros], w => Assert.Equal(0, w));
        var refit = Refit(problem.Hessian, weights, [.. Enumerable.Range(zeros, Columns - zeros)]);
        for (var j = zeros; j < Columns; j++)
        {
            // float32 through a factor whose condition is about a hundred
            Assert.Equal(refit[j], pruned[j], 2e-4);
        }
    }

    [Fact]
    public void The_first_mask_is_that_of_the_least_errors_by_the_inverse_and_each_zero_makes_the_rest_move_by_the_optimal_brain_surgeon()
    {
        // Brute force in double: after columns 0..j−1, H is restricted to those left; w_j goes at the error w_j²/[H⁻¹]_jj, the others move by −w_j/[H⁻¹]_jj·H⁻¹_:j.
        const int Columns = 12;
        var problem = new Problem(1, Columns, 60);
        var pruned = problem.Solve(0, new ColumnGroups(2, 4, Columns, 1), 128);
        var expected = Surgeon(problem.Hessian, problem.Weights, 2, 4);
        for (var j = 0; j < Columns; j++)
        {
            Assert.Equal(expected[j], pruned[j], 1e-4);
        }
    }

    [Fact]
    public void Its_outputs_are_nearer_than_those_of_magnitude_by_far_where_inputs_go_together()
    {
        var problem = new Problem(64, 96, 1000, latents: 24);
        var zeros = problem.Weights.Length / 2;
        var own = problem.Error(problem.Solve(zeros, null, 128));
        var threshold = problem.Weights.Select(Math.Abs).Order().ElementAt(zeros);
        var magnitude = problem.Error([.. problem.Weights.Select(w => Math.Abs(w) < threshold ? 0 : w)]);
        Assert.True(own < 0.5 * magnitude, $"{own} against {magnitude}");
    }

    [Fact]
    public void The_error_that_it_tells_is_that_of_the_outputs()
    {
        var problem = new Problem(70, 48, 500);
        var pruned = new float[problem.Weights.Length];
        using var factor = HessianFactor.Of(problem.Hessian, 0, false, 2);
        var told = SparseGptSolver.Solve(factor, Reader(problem.Weights, 48), 0, 70, 1500, null, 16, pruned, 2);
        Assert.Equal(1, told / problem.Error(pruned), 1e-3);
    }

    [Fact]
    public void The_number_of_threads_changes_no_bit()
    {
        var problem = new Problem(600, 80, 300);
        Assert.Equal(problem.Solve(20_000, null, 64, threads: 1), problem.Solve(20_000, null, 64, threads: 3));
    }

    [Fact]
    public void Inputs_that_are_always_0_lose_their_weights_first_and_a_singular_Hessian_is_dampened_until_it_factors()
    {
        // 20 inputs in 30 columns: rank 20, two of the columns 0.
        var problem = new Problem(16, 30, 20, dead: [3, 17]);
        using var factor = HessianFactor.Of(problem.Hessian, 0, false, 2);
        Assert.True(factor.Dampening > 0);
        var pruned = new float[problem.Weights.Length];
        SparseGptSolver.Solve(factor, Reader(problem.Weights, 30), 0, 16, 32, null, 128, pruned, 2);
        Assert.All(Enumerable.Range(0, 16), row => Assert.Equal((0f, 0f), (pruned[row * 30 + 3], pruned[row * 30 + 17])));
        Assert.All(pruned, w => Assert.True(float.IsFinite(w)));
    }

    private static RowReader Reader(float[] weights, int columns) => (first, rows, to) => weights.AsSpan(first * columns, rows * columns).CopyTo(to);

    private static float[] Numbers(int seed, int count)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (float)(random.NextDouble() + random.NextDouble() + random.NextDouble() - 1.5))];
    }

    // argmin over v with support S of (w − v)·H·(w − v)ᵀ: H_SS·v_S = (H·w)_S.
    private static double[] Refit(FloatMatrix hessian, float[] weights, int[] support)
    {
        var matrix = new double[support.Length, support.Length];
        var right = new double[support.Length];
        for (var a = 0; a < support.Length; a++)
        {
            for (var b = 0; b < support.Length; b++)
            {
                matrix[a, b] = hessian[support[a], support[b]];
            }

            for (var k = 0; k < weights.Length; k++)
            {
                right[a] += (double)hessian[support[a], k] * weights[k];
            }
        }

        var solved = Solve(matrix, right);
        var result = new double[weights.Length];
        for (var a = 0; a < support.Length; a++)
        {
            result[support[a]] = solved[a];
        }

        return result;
    }

    private static double[] Surgeon(FloatMatrix hessian, float[] weights, int keep, int of)
    {
        var n = weights.Length;
        var w = Array.ConvertAll(weights, x => (double)x);
        for (var first = 0; first < n; first += of)
        {
            // Errors of the group's weights while only columns before it are fixed: SparseGPT's, with the inverse of those from each column on.
            var gone = Enumerable.Range(first, of)
                .OrderBy(j => w[j] * w[j] / Inverse(hessian, j, n)[0, 0]).Take(of - keep).ToHashSet();
            for (var j = first; j < first + of; j++)
            {
                if (gone.Contains(j))
                {
                    var inverse = Inverse(hessian, j, n);
                    var step = w[j] / inverse[0, 0];
                    for (var k = j; k < n; k++)
                    {
                        w[k] -= step * inverse[k - j, 0];
                    }

                    w[j] = 0;
                }
            }
        }

        return w;
    }

    // Of the part of H from a column on.
    private static double[,] Inverse(FloatMatrix hessian, int from, int n)
    {
        var size = n - from;
        var inverse = new double[size, size];
        for (var column = 0; column < size; column++)
        {
            var matrix = new double[size, size];
            for (var a = 0; a < size; a++)
            {
                for (var b = 0; b < size; b++)
                {
                    matrix[a, b] = hessian[from + a, from + b];
                }
            }

            var unit = new double[size];
            unit[column] = 1;
            var solved = Solve(matrix, unit);
            for (var a = 0; a < size; a++)
            {
                inverse[a, column] = solved[a];
            }
        }

        return inverse;
    }

    // Gauss with pivots.
    private static double[] Solve(double[,] m, double[] b)
    {
        var n = b.Length;
        for (var i = 0; i < n; i++)
        {
            var pivot = Enumerable.Range(i, n - i).MaxBy(r => Math.Abs(m[r, i]));
            for (var k = 0; k < n; k++)
            {
                (m[i, k], m[pivot, k]) = (m[pivot, k], m[i, k]);
            }

            (b[i], b[pivot]) = (b[pivot], b[i]);
            for (var r = i + 1; r < n; r++)
            {
                var factor = m[r, i] / m[i, i];
                for (var k = i; k < n; k++)
                {
                    m[r, k] -= factor * m[i, k];
                }

                b[r] -= factor * b[i];
            }
        }

        for (var i = n - 1; i >= 0; i--)
        {
            for (var k = i + 1; k < n; k++)
            {
                b[i] -= m[i, k] * b[k];
            }

            b[i] /= m[i, i];
        }

        return b;
    }

    /// <summary>Weights, and inputs of which neighbours go together.</summary>
    private sealed class Problem
    {
        public Problem(int rows, int columns, int inputs, int[]? dead = null, int latents = 0)
        {
            (Rows, Columns) = (rows, columns);
            Weights = Numbers(1, rows * columns);
            var own = Numbers(2, inputs * columns);
            var x = new float[inputs * columns];
            for (var i = 0; i < x.Length; i++)
            {
                var j = i % columns;
                x[i] = dead?.Contains(j) == true ? 0 : own[i] + (j > 0 ? own[i - 1] : 0) + 0.5f * own[i - j];
            }

            // Sums of a few causes, as activations of networks are.
            var mix = Numbers(3, latents * columns);
            for (var i = 0; i < x.Length && latents > 0; i++)
            {
                x[i] = 0.3f * own[i];
                for (var l = 0; l < latents; l++)
                {
                    x[i] += own[i - i % columns + l] * mix[l * columns + i % columns];
                }
            }

            using var sum = new HessianAccumulator(columns, 1);
            sum.Add(x);
            Hessian = sum.Finish();
        }

        public int Rows { get; }

        public int Columns { get; }

        public float[] Weights { get; }

        public FloatMatrix Hessian { get; }

        public float[] Solve(long zeros, ColumnGroups? groups, int window, float[]? weights = null, int threads = 2)
        {
            var pruned = new float[Weights.Length];
            using var factor = HessianFactor.Of(Hessian, 0, groups?.Order() ?? [.. Enumerable.Range(0, Columns)], threads);
            SparseGptSolver.Solve(factor, Reader(weights ?? Weights, Columns), 0, Rows, zeros, groups, window, pruned, threads);
            return pruned;
        }

        public double Error(float[] pruned)
        {
            double error = 0;
            for (var row = 0; row < Rows; row++)
            {
                for (var i = 0; i < Columns; i++)
                {
                    for (var j = 0; j < Columns; j++)
                    {
                        error += ((double)Weights[row * Columns + i] - pruned[row * Columns + i]) * Hessian[i, j] * ((double)Weights[row * Columns + j] - pruned[row * Columns + j]);
                    }
                }
            }

            return error / 2;
        }
    }
}
