using System.Diagnostics;
using System.Globalization;
using System.Text;
using Build.ML.Benchmarks.Frame;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Benchmarks;

/// <summary>A build with nothing to do of a project whose recipe has 100 steps, against the same project with recipes left alone.</summary>
[Benchmark("noop-build")]
public sealed class NoopBuild : IBenchmark
{
    private const int Steps = 100;

    /// <inheritdoc/>
    public string Summary => "no-op build with 100 steps over the same project with BuildMLEnabled=false: at most 1.15";

    /// <inheritdoc/>
    public Outcome Run(BenchmarkContext context)
    {
        WriteProject(context.Folder);
        context.Log($"building {Steps} steps once");
        Expect(Build(context.Folder, "-restore"), "0 came from the cache");

        var sides = Interleaved.Run(
            (int)context.Option("rounds", 15),
            "s",
            ("no-op build", () => Interleaved.Seconds(() => Expect(Build(context.Folder), "steps are up to date"))),
            ("BuildMLEnabled=false", () => Interleaved.Seconds(() => Build(context.Folder, "-p:BuildMLEnabled=false"))));
        return new Outcome(sides[0].Median / sides[1].Median, 1.15, "x the project without recipes") { Details = sides };
    }

    private static void WriteProject(string folder)
    {
        var tool = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "../../../../../src/"));
        var configuration = Path.GetFileName(Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory)));
        File.WriteAllText(Path.Combine(folder, "Directory.Build.props"), $"""
            <Project>
              <PropertyGroup>
                <NuGetAudit>false</NuGetAudit>
                <BuildMLCachePath>cache</BuildMLCachePath>
                <BuildMLTasksAssembly>{tool}Build.ML.Tasks/bin/{configuration}/netstandard2.0/Build.ML.Tasks.dll</BuildMLTasksAssembly>
                <BuildMLWorkerPath>{tool}Build.ML.Worker/bin/{configuration}/net10.0/buildml-worker.dll</BuildMLWorkerPath>
              </PropertyGroup>
            </Project>
            """);
        File.WriteAllText(Path.Combine(folder, "app.csproj"), $"""
            <Project Sdk="Microsoft.NET.Sdk">
              <Import Project="{tool}Build.ML.Tasks/build/Build.ML.props" />
              <PropertyGroup><TargetFramework>net10.0</TargetFramework><OutputType>Exe</OutputType></PropertyGroup>
              <Import Project="{tool}Build.ML.Tasks/build/Build.ML.targets" />
            </Project>
            """);
        File.WriteAllText(Path.Combine(folder, "Program.cs"), "System.Console.WriteLine();");
        WriteModel(Path.Combine(folder, "model.onnx"));

        // Every step prunes the source, each otherwise.
        var recipe = new StringBuilder("recipe: many\nmodel: model.onnx\nsteps:\n");
        for (var step = 1; step <= Steps; step++)
        {
            recipe.Append(CultureInfo.InvariantCulture,
                $"  - id: s{step}\n    use: prune.magnitude\n    from: model\n    with: {{ sparsity: {step / (double)Steps:0.00} }}\n");
        }

        File.WriteAllText(Path.Combine(folder, "many.buildml.yaml"), recipe.Append($"outputs: {{ pruned.onnx: s{Steps} }}\n").ToString());
    }

    private static void WriteModel(string path)
    {
        var graph = new OnnxGraph("tiny");
        var x = graph.AddInput("x", new TensorType(DataType.Float, new Shape(new Dimension("n"), 16)));
        var weights = Enumerable.Range(1, 256).Select(i => (float)i).ToArray();
        var y = graph.Add("MatMul", [x, graph.AddInitializer("w", Tensor.Of(weights, 16, 16))], "y");
        y.Type = new TensorType(DataType.Float, new Shape(new Dimension("n"), 16));
        graph.AddOutput(y);
        using var model = new Model(graph);
        model.Save(path);
    }

    // dotnet build as a user types it, but for the restore, which is not the claim's.
    private static string Build(string folder, params ReadOnlySpan<string> switches)
    {
        var start = new ProcessStartInfo("dotnet", ["build", .. switches.Contains("-restore") ? [] : new[] { "--no-restore" }, .. switches])
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? output : throw new InvalidOperationException($"dotnet build ended with {process.ExitCode}:\n{output}\n{error.Result}");
    }

    private static void Expect(string output, string text)
    {
        if (!output.Contains(text, StringComparison.Ordinal))
        {
            throw new InvalidOperationException($"The build did not say '{text}':\n{output}");
        }
    }
}
