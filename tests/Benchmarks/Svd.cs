using System.Globalization;
using System.Runtime.InteropServices;
using Build.ML.Benchmarks.Frame;
using Build.ML.Calibration.LinearAlgebra;

namespace Build.ML.Benchmarks;

/// <summary>The greatest singular values and vectors of a square matrix, against NumPy's full decomposition on the same numbers; its values tell the least possible error.</summary>
[Benchmark("svd")]
public sealed class Svd : IBenchmark
{
    /// <inheritdoc/>
    public string Summary => "2048x2048 to rank 256 over NumPy's full SVD (--python PROGRAM, 2 threads): at most 0.5, error within 1 % of the optimum";

    /// <inheritdoc/>
    public Outcome Run(BenchmarkContext context)
    {
        var size = (int)context.Option("size", 2048);
        var rank = (int)context.Option("rank", 256);
        var threads = (int)context.Option("threads", 2);
        var worst = 0d;
        var conditions = new List<Condition>();
        var details = new List<Measured>();
        using (var small = Normal(300, 300, 1))
        {
            TruncatedSvd.Of(small.View, 20, threads: threads).Dispose(); // compiles the code
        }

        // A spectrum without a gap, the hardest to cut; one that falls as those of trained weights do.
        foreach (var (name, exponent) in new[] { ("Gaussian", 0d), ("falling", 0.75) })
        {
            using var matrix = Matrix(size, exponent);
            Write(matrix, Path.Combine(context.Folder, "matrix.f32"));
            List<double> own = [], peer = [];
            var error = 0d;
            for (var round = 0; round < context.Option("rounds", 3); round++)
            {
                SingularValues? svd = null;
                own.Add(Interleaved.Seconds(() => svd = TruncatedSvd.Of(matrix.View, rank, threads: threads)));
                peer.Add(RunPeer(context, size, threads));
                error = Math.Sqrt(SquaredError(matrix, svd!, threads));
                svd!.Dispose();
                context.Log(string.Create(CultureInfo.InvariantCulture, $"  {name}: {own[^1]:0.00} s; NumPy {peer[^1]:0.00} s"));
            }

            var values = MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(Path.Combine(context.Folder, "values.f32")));
            var least = 0d;
            foreach (var value in values[rank..])
            {
                least += (double)value * value;
            }

            details.Add(new($"{name}: Build.ML", Interleaved.Median(own), own.Min(), own.Max(), "s"));
            details.Add(new($"{name}: NumPy", Interleaved.Median(peer), peer.Min(), peer.Max(), "s"));
            conditions.Add(new($"{name}: Frobenius error", error / Math.Sqrt(least), 1.01, "x the optimum"));
            worst = Math.Max(worst, Interleaved.Median(own) / Interleaved.Median(peer));
        }

        return new Outcome(worst, 0.5, "x NumPy") { Conditions = conditions, Details = details };
    }

    // U·diag(k^−exponent)·V of Gaussian U and V; exponent 0: one Gaussian matrix.
    private static FloatMatrix Matrix(int size, double exponent)
    {
        if (exponent == 0)
        {
            return Normal(size, size, 2);
        }

        using var left = Normal(size, size, 3);
        using var right = Normal(size, size, 4);
        for (var row = 0; row < size; row++)
        {
            foreach (ref var element in right.Row(row))
            {
                element *= (float)(Math.Pow(row + 1, -exponent) / size);
            }
        }

        var product = new FloatMatrix(size, size);
        MatrixProduct.Add(product.View, left.View, right.View, threads: 2);
        return product;
    }

    private static FloatMatrix Normal(int rows, int columns, int seed)
    {
        var matrix = new FloatMatrix(rows, columns);
        var random = new Training.Random.CounterRandom(seed);
        for (var row = 0; row < rows; row++)
        {
            random.FillNormal(matrix.Row(row));
        }

        return matrix;
    }

    private static double SquaredError(FloatMatrix matrix, SingularValues svd, int threads)
    {
        using var rest = new FloatMatrix(matrix.Rows, matrix.Columns);
        for (var row = 0; row < matrix.Rows; row++)
        {
            matrix.Row(row).CopyTo(rest.Row(row));
        }

        for (var i = 0; i < svd.Values.Length; i++)
        {
            foreach (ref var element in svd.Right.Row(i))
            {
                element *= svd.Values[i];
            }
        }

        MatrixProduct.Add(rest.View, svd.Left.View.Transposed, svd.Right.View, -1, threads: threads);
        return TruncatedSvd.SquaredNorm(rest.View);
    }

    private static void Write(FloatMatrix matrix, string file)
    {
        using var stream = File.Create(file);
        for (var row = 0; row < matrix.Rows; row++)
        {
            stream.Write(MemoryMarshal.AsBytes(matrix.Row(row)));
        }
    }

    private static double RunPeer(BenchmarkContext context, int size, int threads)
    {
        var python = context.Option("python", "python3");
        if (!Path.IsPathRooted(python) && !ChildProcess.Exists(python))
        {
            throw new MissingDataException($"svd needs a Python with NumPy, '{python}' is not in the search path: pass --python PROGRAM.");
        }

        string Text(int value) => value.ToString(CultureInfo.InvariantCulture);
        return double.Parse(
            ChildProcess.Run(python, [Path.Combine(AppContext.BaseDirectory, "Peers", "svd_peer.py"), context.Folder, Text(size), Text(size), Text(threads)]), CultureInfo.InvariantCulture);
    }
}
