using Build.ML.Benchmarks.Frame;
using Build.ML.Caching.Files;

namespace Build.ML.Benchmarks;

/// <summary>
/// Builds killed at random moments, all in one folder with one cache; after each kill what claims to be done is compared with a build that nobody disturbed.
/// </summary>
[Benchmark("crash-safety")]
public sealed class CrashSafety : IBenchmark
{
    private const int Steps = 6;
    private const int Variants = 8;

    /// <inheritdoc/>
    public string Summary => "200 kill -9s of builds at random moments, then two builds at once: no wrong or lost artifact";

    /// <inheritdoc/>
    public Outcome Run(BenchmarkContext context)
    {
        var expected = Enumerable.Range(0, Variants).Select(v => Undisturbed(Path.Combine(context.Folder, $"clean{v}"), v)).ToArray();
        var folder = Directory.CreateDirectory(Path.Combine(context.Folder, "killed")).FullName;
        BuildSample.Write(folder, Steps, Sparsity(0));
        var longest = TimeSpan.FromSeconds(context.RunChild(folder).Seconds);
        Directory.Delete(folder, recursive: true);
        Directory.CreateDirectory(folder);
        BuildSample.Write(folder, Steps, Sparsity(0));
        var random = new Random((int)context.Option("seed", 1));
        var (kills, wrong, damaged) = ((int)context.Option("kills", 200), 0, 0);
        var (killed, early) = (0, 0);
        for (var round = 0; killed < kills; round++)
        {
            var variant = random.Next(Variants);
            BuildSample.WriteRecipe(folder, Steps, Sparsity(variant));
            using (var process = ChildProcess.StartSelf(["--child", "crash-safety", folder]))
            {
                if (process.WaitForExit(longest * random.NextDouble()))
                {
                    early++; // done before its time
                }
                else
                {
                    process.Kill();
                    process.WaitForExit();
                    killed++;
                }
            }

            wrong += ClaimsWrong(folder, expected[variant]) ? 1 : 0;
            if (round % 20 == 19)
            {
                damaged += Verify(folder);
                BuildSample.Build(folder);
                wrong += FileHash.Of(BuildSample.OutputPath(folder)) == expected[variant] ? 0 : 1;
            }
        }

        wrong += TwoAtOnce(folder, expected);
        return new Outcome(wrong, 0, "wrong or lost artifacts")
        {
            Conditions = [new("damaged in the cache", damaged, 0, "contents")],
            Details = [new("killed", killed, killed, killed, "builds"), new("ended before the kill", early, early, early, "builds")],
        };
    }

    /// <inheritdoc/>
    public void RunChild(IReadOnlyList<string> arguments) => BuildSample.Build(arguments[0]);

    private static double Sparsity(int variant) => 0.1 + (0.05 * variant);

    private static string Undisturbed(string folder, int variant)
    {
        Directory.CreateDirectory(folder);
        BuildSample.Write(folder, Steps, Sparsity(variant));
        BuildSample.Build(folder);
        return FileHash.Of(BuildSample.OutputPath(folder));
    }

    // Whether the output is said to be up to date, and is not what it should be.
    private static bool ClaimsWrong(string folder, string expected)
    {
        using var engine = BuildSample.CreateEngine(folder);
        var plan = engine.Plan([BuildSample.RecipePath(folder)]);
        return engine.Explain(plan).All(e => !e.WouldRun) && FileHash.Of(BuildSample.OutputPath(folder)) != expected;
    }

    private static int Verify(string folder)
    {
        using var engine = BuildSample.CreateEngine(folder);
        return engine.Store.Verify().Count;
    }

    private static int TwoAtOnce(string folder, string[] expected)
    {
        var wrong = 0;
        for (var variant = 0; variant < expected.Length; variant++)
        {
            Directory.Delete(BuildSample.WorkPath(folder), recursive: true);
            Directory.Delete(Path.Combine(folder, "cache"), recursive: true);
            BuildSample.WriteRecipe(folder, Steps, Sparsity(variant));
            var both = Enumerable.Range(0, 2).Select(_ => ChildProcess.StartSelf(["--child", "crash-safety", folder])).ToList();
            foreach (var process in both)
            {
                process.StandardOutput.ReadToEnd();
                process.WaitForExit();
                wrong += process.ExitCode == 0 ? 0 : 1;
                process.Dispose();
            }

            wrong += FileHash.Of(BuildSample.OutputPath(folder)) == expected[variant] ? 0 : 1;
        }

        return wrong;
    }
}
