using System.Globalization;
using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Techniques;
using Build.ML.Benchmarks.Frame;
using Build.ML.Caching.Files;
using Build.ML.Graph;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;
using Build.ML.Quantization.Gptq;
using Build.ML.Quantization.WeightOnly;

namespace Build.ML.Benchmarks;

/// <summary>
/// A language model of 7 billion parameters (or fewer, by options) through quantization, each in a process of its own whose memory is measured; the long one is killed in the
/// middle and goes on.
/// </summary>
[Benchmark("large-model")]
public sealed class LargeModelQuantization : IBenchmark
{
    private const double WeightsLimit = 2;
    private const double GptqLimit = 6;

    /// <inheritdoc/>
    public string Summary => "a 7-billion-parameter model: quantize.weights under 2 GB, quantize.gptq under 6 GB of memory; killed, it goes on at its layer";

    /// <inheritdoc/>
    public Outcome Run(BenchmarkContext context)
    {
        var sizes = Sizes(context);
        var isCompared = context.Option("undisturbed", 1) == 1;
        Preflight(context, sizes, isCompared);
        var model = Path.Combine(context.Folder, "model.onnx");
        context.Log($"writing took {Interleaved.Seconds(() => LlamaModel.Write(model, sizes)):0} s");

        var weights = Finish(context, "weights", model, "weights", out _);
        var (before, solved) = Killed(context, model, context.Option("kill-at", 50) / 100.0);
        var resumed = Finish(context, "gptq", model, "killed", out var hash);
        var kept = solved.Count(f => File.Exists(f.Path) && File.GetLastWriteTimeUtc(f.Path) == f.Written);
        var conditions = new List<Condition>
        {
            new("quantize.gptq, resident", Math.Max(before.Resident, resumed.Resident), GptqLimit, "GB"),
            new("checkpoints made anew", solved.Count - kept, 0, "files"),
            new("no checkpoint before the kill", solved.Count == 0 ? 1 : 0, 0, "kills"),
        };
        var details = new List<Measured>
        {
            One("quantize.weights", weights.Seconds, "s"), One("of it allocated", weights.Allocated, "GB"), One("of it mapped files", weights.Mapped, "GB"),
            One("quantize.gptq to the kill", before.Seconds, "s"), One("quantize.gptq after the kill", resumed.Seconds, "s"),
            One("of it allocated", Math.Max(before.Allocated, resumed.Allocated), "GB"), One("of it mapped files", Math.Max(before.Mapped, resumed.Mapped), "GB"),
            One("solved layers kept", kept, "layers"),
        };
        if (isCompared)
        {
            var whole = Finish(context, "gptq", model, "undisturbed", out var expected);
            details.Add(One("quantize.gptq undisturbed", whole.Seconds, "s"));
            conditions.Add(new("output that differs", hash == expected ? 0 : 1, 0, "files"));
        }

        return new Outcome(weights.Resident, WeightsLimit, "GB resident in quantize.weights") { Conditions = conditions, Details = details };
    }

    /// <inheritdoc/>
    public void RunChild(IReadOnlyList<string> arguments)
    {
        using var memory = new MemoryWatch();
        var (side, path, folder) = (arguments[0], arguments[1], arguments[2]);
        using var model = Model.Open(path);
        var vocabulary = model.Graph.Find("model.embed_tokens.weight")!.Initializer!.Sizes[0];
        var data = new RandomTokens(int.Parse(arguments[3], CultureInfo.InvariantCulture), int.Parse(arguments[4], CultureInfo.InvariantCulture), vocabulary);
        var context = new StepContext
        {
            StepId = "int4",
            Data = _ => data,
            Model = _ => throw new NotSupportedException(),
            Inference = new OnnxRuntimeInference(Directory.CreateDirectory(Path.Combine(folder, "sessions")).FullName),
            ScratchDirectory = Directory.CreateDirectory(Path.Combine(folder, "scratch")).FullName,
            CheckpointDirectory = Directory.CreateDirectory(Checkpoints(folder)).FullName,
            Progress = new PhaseLog(memory),
            Report = diagnostic => Console.WriteLine(diagnostic),
        };
        var result = side == "weights"
            ? new WeightQuantization().Apply(model, new WeightQuantization.Options(), context)
            : new GptqQuantization().Apply(model, new GptqQuantization.Options { Data = new DataReference("tokens") }, context);
        result.Model.Save(Target(folder));
        Console.WriteLine(memory);
    }

    private static string Checkpoints(string folder) => Path.Combine(folder, "checkpoints");

    private static string Target(string folder) => Path.Combine(folder, "target.onnx");

    private static LlamaSizes Sizes(BenchmarkContext context)
    {
        var hidden = (int)context.Option("hidden", 4096);
        return new(
            (int)context.Option("layers", 32), hidden, (int)context.Option("heads", hidden / 128), (int)context.Option("inner", hidden * 43L / 16),
            (int)context.Option("vocabulary", 32000));
    }

    // Four bits and a scale of half precision for 32 weights: 0.5625 bytes, once more in checkpoints and in scratch files.
    private static void Preflight(BenchmarkContext context, LlamaSizes sizes, bool isCompared)
    {
        var needed = sizes.Parameters * (2 + (isCompared ? 4 : 3) * 0.6);
        var free = new DriveInfo(context.Folder).AvailableFreeSpace;
        context.Log(Text(
            $"{sizes.Parameters / 1e9:0.00} billion parameters, model of {sizes.Parameters * 2 / 1e9:0.0} GB: needs {needed / 1e9:0} GB of disk ({free / 1e9:0} GB free) and {GptqLimit} GB of memory"));
        if (needed > free)
        {
            throw new MissingDataException(Text($"large-model needs {needed / 1e9:0} GB of disk below {context.Folder}, {free / 1e9:0} GB are free: pass --temp FOLDER of another disk, or --layers N."));
        }
    }

    // Runs to the end; the result is hashed and deleted.
    private static Side Finish(BenchmarkContext context, string side, string model, string name, out string hash)
    {
        var run = Start(context, side, model, name, killAt: null);
        var folder = Path.Combine(context.Folder, name);
        hash = FileHash.Of(Target(folder)) + FileHash.Of(Target(folder) + ".data");
        File.Delete(Target(folder));
        File.Delete(Target(folder) + ".data");
        return run;
    }

    private static (Side Side, List<(string Path, DateTime Written)> Solved) Killed(BenchmarkContext context, string model, double killAt)
    {
        var run = Start(context, "gptq", model, "killed", killAt);
        var solved = Directory.GetFiles(Checkpoints(Path.Combine(context.Folder, "killed"))).Select(f => (f, File.GetLastWriteTimeUtc(f))).ToList();
        context.Log($"killed; {solved.Count} files of solved layers are there");
        return (run, solved);
    }

    private static Side Start(BenchmarkContext context, string side, string model, string name, double? killAt)
    {
        var folder = Directory.CreateDirectory(Path.Combine(context.Folder, name)).FullName;
        var run = default(Side);
        var seconds = Interleaved.Seconds(() =>
        {
            using var process = ChildProcess.StartSelf(
                ["--child", "large-model", side, model, folder, Number(context.Option("sequences", 2)), Number(context.Option("tokens", 64))]);
            while (process.StandardOutput.ReadLine() is { } line)
            {
                context.Log($"  {side}: {line}");
                run = Side.Read(line) ?? run;
                if (killAt is { } share && PhaseLog.FractionOf(line) >= share)
                {
                    process.Kill(); // SIGKILL: nothing of the process gets to know
                    process.WaitForExit();
                    return;
                }
            }

            process.WaitForExit();
            if (process.ExitCode != 0)
            {
                throw new InvalidOperationException($"{side} ended with {process.ExitCode}.");
            }
        });
        return run with { Seconds = seconds };
    }

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private static Measured One(string name, double value, string unit) => new(name, value, value, value, unit);

    /// <summary>What a child took: gigabytes at the peak, as <see cref="MemoryWatch"/> printed them.</summary>
    private readonly record struct Side(double Seconds, double Allocated, double Mapped, double Resident)
    {
        public static Side? Read(string line)
        {
            var words = line.Split(' ');
            return line.Contains("peak allocated", StringComparison.Ordinal) ? new(0, After("allocated"), After("files"), After("together")) : null;

            double After(string word) => double.Parse(words[Array.IndexOf(words, word) + 1], CultureInfo.InvariantCulture);
        }
    }

    /// <summary>Prints each phase with how far it is and the memory so far.</summary>
    private sealed class PhaseLog(MemoryWatch memory) : IProgress<StepProgress>
    {
        private const string Mark = "at ";
        private string _phase = "";

        public void Report(StepProgress value)
        {
            if (value.Phase != _phase)
            {
                _phase = value.Phase;
                Console.WriteLine(Text($"{Mark}{value.Fraction:0.0000} {_phase}; {memory}"));
            }
        }

        public static double FractionOf(string line) =>
            line.StartsWith(Mark, StringComparison.Ordinal) ? double.Parse(line[Mark.Length..].Split(' ')[0], CultureInfo.InvariantCulture) : 0;
    }

    private sealed class RandomTokens(int count, int length, long vocabulary) : DataSet
    {
        public override int Count => count;

        public override Sample this[int index]
        {
            get
            {
                var random = new Random(index);
                return new([new("input_ids", Tensor.Of(Enumerable.Range(0, length).Select(_ => random.NextInt64(vocabulary)).ToArray(), length))], Label.None);
            }
        }
    }
}
