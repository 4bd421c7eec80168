using System.Collections.Immutable;
using System.Diagnostics;
using System.Globalization;
using Build.ML.Benchmarks.Frame;

namespace Build.ML.Benchmarks;

/// <summary>A step of training, forward, backward and optimizer, against PyTorch's eager mode on the same architectures, in processes of their own that take turns.</summary>
[Benchmark("training-step")]
public sealed class TrainingStep : IBenchmark
{
    private const double WorstRatio = 1.1;

    /// <inheritdoc/>
    public string Summary => "step of LeNet, ResNet-20, MobileNetV2, an encoder and a GPT over PyTorch eager (--python PROGRAM, 2 threads): geometric mean at most 0.9, "
        + "none above 1.1, memory none above PyTorch's (--only MODEL, --rounds N, --clock wall or processor)";

    /// <inheritdoc/>
    public Outcome Run(BenchmarkContext context)
    {
        var rounds = context.Option("rounds", 5);
        var threads = context.Option("threads", "2");

        // On a busy machine the processor's time tells more than the clock's, with one thread: threads that wait for each other take time as well.
        var clock = context.Option("clock", "wall");
        var (conditions, details) = (new List<Condition>(), new List<Measured>());
        var logarithms = new List<double>();
        foreach (var model in TrainingStepModel.Names.Where(n => context.Option("only") is not { } only || only.Split(',').Contains(n)))
        {
            List<double> own = [], peer = [];
            long ownPeak = 0, peerPeak = 0;
            for (var round = 0; round < rounds; round++)
            {
                var numbers = Numbers(context.RunChild(model, threads, context.Option("kernels", "1"), clock).Output);
                own.Add(numbers[0]);
                ownPeak = Math.Max(ownPeak, (long)numbers[1]);
                numbers = Numbers(ChildProcess.Run(
                    context.Option("python", "python3"), [Path.Combine(AppContext.BaseDirectory, "Peers", "training_peer.py"), model, threads, clock]));
                peer.Add(numbers[0]);
                peerPeak = Math.Max(peerPeak, (long)numbers[1]);
            }

            // The quietest moment of each side: what else the machine does only ever adds.
            var ratio = own.Min() / peer.Min();
            logarithms.Add(Math.Log(ratio));
            context.Log(string.Create(
                CultureInfo.InvariantCulture,
                $"  {model}: {own.Min() * 1e3:0.00} ms, PyTorch {peer.Min() * 1e3:0.00} ms: {ratio:0.00}; {ownPeak / 1e6:0} MB, PyTorch {peerPeak / 1e6:0} MB"));
            details.Add(new(model + ": Build.ML", Interleaved.Median(own) * 1e3, own.Min() * 1e3, own.Max() * 1e3, "ms"));
            details.Add(new(model + ": PyTorch", Interleaved.Median(peer) * 1e3, peer.Min() * 1e3, peer.Max() * 1e3, "ms"));
            conditions.Add(new(model, ratio, WorstRatio, "x PyTorch"));
            conditions.Add(new(model + ": memory", (double)ownPeak / peerPeak, 1, "x PyTorch"));
        }

        return new Outcome(Math.Exp(logarithms.Average()), 0.9, "x PyTorch") { Conditions = conditions, Details = details };
    }

    /// <inheritdoc/>
    public void RunChild(IReadOnlyList<string> arguments)
    {
        var threads = int.Parse(arguments[1], CultureInfo.InvariantCulture);
        using var step = TrainingStepModel.Create(arguments[0], threads, arguments[2] != "0");
        if (arguments[3] == "profile")
        {
            Profile(step);
            return;
        }

        var times = new List<double>();
        for (var start = Stopwatch.GetTimestamp(); times.Count < 15 || Stopwatch.GetElapsedTime(start).TotalSeconds < 3;)
        {
            var before = Environment.CpuUsage.TotalTime;
            var seconds = Interleaved.Seconds(step.Run);
            times.Add(arguments[3] == "wall" ? seconds : (Environment.CpuUsage.TotalTime - before).TotalSeconds);
        }

        // As the peer does: the first steps are warm-up, of the others the lower quartile.
        var measured = times.Skip(5).Order().ToArray();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{measured[measured.Length / 4]} {ChildProcess.PeakMemory()}"));
    }

    private static void Profile(TrainingStepModel step)
    {
        var timings = step.Profile();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{timings.Sum(n => n.Seconds) * 1e3:0.00} ms in {timings.Length} nodes, optimizer apart"));
        foreach (var group in timings.GroupBy(n => n.OpType).OrderByDescending(g => g.Sum(n => n.Seconds)).Take(25))
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{group.Sum(n => n.Seconds) * 1e3,9:0.00} ms {group.Count(),4} {group.Key}"));
        }

        foreach (var node in timings.OrderByDescending(n => n.Seconds).Take(25))
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{node.Seconds * 1e3,9:0.00} ms {node.OpType} {node.Name}"));
        }
    }

    private static double[] Numbers(string output) =>
        Array.ConvertAll(output.Trim().Split('\n')[^1].Split(' ', StringSplitOptions.RemoveEmptyEntries), s => double.Parse(s, CultureInfo.InvariantCulture));
}
