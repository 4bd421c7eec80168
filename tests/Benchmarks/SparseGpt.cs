using System.Globalization;
using System.Runtime.InteropServices;
using Build.ML.Benchmarks.Frame;
using Build.ML.Calibration.Hessians;
using Build.ML.Pruning.SparseGpt;

namespace Build.ML.Benchmarks;

/// <summary>SparseGPT of one layer, from its Hessian to pruned weights, against a straightforward implementation of the paper in PyTorch on the same numbers.</summary>
[Benchmark("sparsegpt")]
public sealed class SparseGpt : IBenchmark
{
    private const double Sparsity = 0.5;
    private const double Dampening = 0.01;
    private const int Threads = 2;

    /// <inheritdoc/>
    public string Summary => "SparseGPT of 4096x4096 to 50 % over PyTorch (--python PROGRAM, 2 threads, Hessians not counted): at most 0.7, at no greater layer error";

    /// <inheritdoc/>
    public Outcome Run(BenchmarkContext context)
    {
        var size = (int)context.Option("size", 4096);
        var problem = GptqProblem.Create(size, size, (int)context.Option("tokens", 512), (int)context.Option("batches", 16), 16);
        problem.Write(context.Folder);
        Solve(GptqProblem.Create(32, 256, 64, 2, 2), out _, out _); // compiles the code
        List<double> own = [], peer = [];
        float[] solved = [];
        for (var round = 0; round < context.Option("rounds", 3); round++)
        {
            solved = Solve(problem, out var factor, out var columns);
            own.Add(factor + columns);
            var seconds = PythonPeer.Run(
                context, "sparsegpt_peer.py", [context.Folder, Text(problem.Rows), Text(problem.Columns), Text(problem.Tokens), Text(problem.Batches), Text(Sparsity), Text(Dampening), Text(Threads)]);
            peer.Add(seconds[0]);
            context.Log(string.Create(
                CultureInfo.InvariantCulture,
                $"  {size}x{size}: {own[^1]:0.00} s (factor {factor:0.00}, columns {columns:0.00}); PyTorch {seconds[0]:0.00} s (factors {seconds[2]:0.00}, columns {seconds[3]:0.00})"));
        }

        var errors = problem.Errors(solved, MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(Path.Combine(context.Folder, "peer.f32"))).ToArray());
        return new Outcome(Interleaved.Median(own) / Interleaved.Median(peer), 0.7, "x PyTorch")
        {
            // A thousandth: rounding differs in the last bit, and a weight that goes the other way may gain or lose by chance.
            Conditions = [new("layer error", errors.Own / errors.Peer, 1.001, "x PyTorch's"), new("weights that are not 0", 1 - (double)solved.Count(w => w == 0) / solved.Length, 1 - Sparsity, "")],
            Details = [new("Build.ML", Interleaved.Median(own), own.Min(), own.Max(), "s"), new("PyTorch", Interleaved.Median(peer), peer.Min(), peer.Max(), "s")],
        };
    }

    private static float[] Solve(GptqProblem problem, out double factorSeconds, out double columnSeconds)
    {
        using var hessian = problem.Hessian(Threads);
        HessianFactor? factor = null;
        factorSeconds = Interleaved.Seconds(() => factor = HessianFactor.Of(hessian, Dampening, false, Threads));
        var pruned = new float[(long)problem.Rows * problem.Columns];
        columnSeconds = Interleaved.Seconds(() => SparseGptSolver.Solve(
            factor!, problem.Read, 0, problem.Rows, (long)(Sparsity * pruned.Length), null, ResidualTile.BlockColumns, pruned, Threads));
        factor!.Dispose();
        return pruned;
    }

    private static string Text(IFormattable value) => value.ToString(null, CultureInfo.InvariantCulture);
}
