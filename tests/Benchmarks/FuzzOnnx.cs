using System.Diagnostics;
using System.Globalization;
using Build.ML.Benchmarks.Frame;
using Build.ML.Graph;
using Build.ML.Graph.Catalogs;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Passes;
using Build.ML.Graph.Shapes;
using Build.ML.TestSupport;

namespace Build.ML.Benchmarks;

/// <summary>
/// Mutated ONNX files, read in processes of their own so that a crash or a hang is seen for what it is. What still is a model is validated, written,
/// read again, its weights read, its shapes inferred, and every pass run over it.
/// </summary>
[Benchmark("fuzz-onnx")]
public sealed class FuzzOnnx : IBenchmark
{
    private const int Batch = 5_000;
    private const int LargestModel = 20_000;

    /// <inheritdoc/>
    public string Summary => "100,000 mutated ONNX files: each ends in a model or a diagnostic, at most 5 s each, peak memory under 1 GB (--models FOLDER: of these too)";

    /// <inheritdoc/>
    public Outcome Run(BenchmarkContext context)
    {
        var models = context.Option("models") is null ? "" : context.RequiredPath("models", "a folder with ONNX files");
        var count = context.Option("count", 100_000);
        var (failures, accepted) = (0L, 0L);
        var (peak, slowest) = (0.0, 0.0);
        for (var start = context.Option("start", 0); start < count; start += Batch)
        {
            var end = Math.Min(start + Batch, count);
            try
            {
                var child = context.RunChild(
                    TimeSpan.FromMinutes(10), context.Folder, start.ToString(CultureInfo.InvariantCulture), end.ToString(CultureInfo.InvariantCulture), models);
                var lines = child.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
                var numbers = lines[^1].Split(' ');
                failures += lines.Length - 1;
                accepted += long.Parse(numbers[0], CultureInfo.InvariantCulture);
                slowest = Math.Max(slowest, double.Parse(numbers[1], CultureInfo.InvariantCulture));
                peak = Math.Max(peak, child.PeakBytes / 1e9);
                foreach (var line in lines[..^1])
                {
                    context.Log(line);
                }
            }
            catch (InvalidOperationException e)
            {
                failures++; // the process died or hung: at least one
                context.Log($"seeds {start} to {end}, after {ReadSeed(context.Folder)}: {e.Message}");
            }
        }

        return new Outcome(failures, 0, "crashes")
        {
            Conditions = [new("slowest file", slowest, 5, "s"), new("peak memory", peak, 1, "GB")],
            Details = [new("still models", accepted, accepted, accepted, $"of {count}")],
        };
    }

    /// <inheritdoc/>
    public void RunChild(IReadOnlyList<string> arguments)
    {
        var samples = Samples(arguments.Count > 3 ? arguments[3] : "");
        var passes = Catalog<IGraphPass>.Scan(typeof(IGraphPass).Assembly);
        var path = Path.Combine(arguments[0], "model.onnx");
        var (accepted, slowest) = (0, 0.0);
        for (var seed = int.Parse(arguments[1], CultureInfo.InvariantCulture); seed < int.Parse(arguments[2], CultureInfo.InvariantCulture); seed++)
        {
            if (seed % 20 == 0)
            {
                File.WriteAllText(SeedFile(arguments[0]), seed.ToString(CultureInfo.InvariantCulture));
            }

            var bytes = OnnxMutator.Mutate(samples[seed % samples.Count], seed);
            var stage = "reading";
            var started = Stopwatch.GetTimestamp();
            try
            {
                using var model = seed % 10 == 0 ? Opened(path, bytes) : Model.Load(bytes);
                stage = "using";
                Use(model);
                accepted++;
                stage = "shape inference";
                ShapeInference.Run(model);
                foreach (var pass in passes)
                {
                    stage = pass.Name;
                    pass.Create().Run(model);
                }

                stage = "writing after passes";
                model.ToBytes();
            }
            catch (DiagnosticException e) when (e.Diagnostics.Count > 0)
            {
                // what a broken file must end in
            }
            catch (Exception e)
            {
                Console.WriteLine($"seed {seed} ({stage}): {e.GetType().Name} {e.Message.ReplaceLineEndings(" ")} {string.Join(' ', (e.StackTrace ?? "").Split('\n').Take(4))}");
            }

            slowest = Math.Max(slowest, Stopwatch.GetElapsedTime(started).TotalSeconds);
        }

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{accepted} {slowest}"));
    }

    private static List<byte[]> Samples(string folder)
    {
        var samples = new List<byte[]> { OnnxSample.Add(), OnnxSample.Rich() };
        if (folder.Length > 0)
        {
            samples.AddRange(Directory.EnumerateFiles(folder, "*.onnx", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
                .Where(f => new FileInfo(f).Length < LargestModel).Select(File.ReadAllBytes));
        }

        return samples;
    }

    private static Model Opened(string path, byte[] bytes)
    {
        File.WriteAllBytes(path, bytes);
        return Model.Open(path);
    }

    private static void Use(Model model)
    {
        model.Validate();
        foreach (var value in model.Graph.Initializers)
        {
            if (value.Initializer is { Type: not DataType.String } tensor)
            {
                tensor.Read<byte>().Dispose();
            }
        }

        var written = model.ToBytes();
        using var copy = model.Clone();
        using var again = Model.Load(written);
        if (!written.AsSpan().SequenceEqual(copy.ToBytes()) || !written.AsSpan().SequenceEqual(again.ToBytes()))
        {
            throw new InvalidDataException("The model does not come out as it went in.");
        }
    }

    private static string SeedFile(string folder) => Path.Combine(folder, "seed.txt");

    private static string ReadSeed(string folder) => File.Exists(SeedFile(folder)) ? File.ReadAllText(SeedFile(folder)) : "none";
}
