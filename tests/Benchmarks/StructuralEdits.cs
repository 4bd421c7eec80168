using System.Reflection;
using System.Runtime.CompilerServices;
using Build.ML.Abstractions.Architectures;
using Build.ML.Abstractions.Components;
using Build.ML.Architectures.Images;
using Build.ML.Benchmarks.Frame;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Passes;
using Build.ML.Graph.Tests;
using Build.ML.TestSupport;

namespace Build.ML.Benchmarks;

/// <summary>Half of every removable axis of every model there is: each edit gives a valid model that runs, with the same outputs where nothing read what went.</summary>
[Benchmark("structural-edits")]
public sealed class StructuralEdits : IBenchmark
{
    /// <summary>Deep networks in float, sums in another order, over 1 + the largest output.</summary>
    private const double Rounding = 1e-3;

    /// <summary>Larger models are edited at all axes at once only.</summary>
    private const long MaxBytesOfEach = 30_000_000;

    /// <inheritdoc/>
    public string Summary =>
        "half of every removable axis of the conformance models (--testdata FOLDER), the architectures and models of --data FOLDER removed, each axis alone and all at once: 0 broken";

    /// <inheritdoc/>
    public Outcome Run(BenchmarkContext context)
    {
        var (models, axes, free, compared, failures) = (0, 0, 0, 0, 0);
        foreach (var (name, open) in Models(context))
        {
            if (context.Option("only") is { } only && !name.Contains(only, StringComparison.Ordinal))
            {
                continue;
            }

            try
            {
                using var model = open();
                var bytes = model.Graph.Initializers.Sum(i => i.Initializer!.ByteLength);
                var result = StructuralEdit.Check(model, StructuralEdit.Feeds(model), Rounding, each: bytes <= MaxBytesOfEach);
                models++;
                axes += result.Axes;
                free += result.Free;
                compared += result.Compared;
                failures += result.Failures.Count;
                foreach (var failure in result.Failures)
                {
                    context.Log($"{name}: {failure}");
                }

                if (result.Free > 5)
                {
                    context.Log($"{name}: {result.Free} of {result.Axes} axes, {result.Compared} compared");
                }
            }
            catch (DiagnosticException e) when (e.Diagnostics.All(d => d.Code.StartsWith("BML2", StringComparison.Ordinal)))
            {
                context.Log($"{name}: {e.Diagnostics[0].Message}"); // no model
            }
        }

        context.Log($"{models} models, {axes} axes, {free} removable, {compared} compared exactly");
        return new Outcome(failures, 0, "broken edits")
        {
            Conditions = [new("axes compared, lacking of 100", Math.Max(0, 100 - compared), 0, "axes")],
        };
    }

    private static IEnumerable<(string Name, Func<Model> Open)> Models(BenchmarkContext context)
    {
        foreach (var path in Files(context.Option("testdata", "/usr/share/libonnx-testdata/data")))
        {
            var name = Path.GetFileName(Path.GetDirectoryName(path))!;
            yield return (name, () => Prepared(Model.Open(path)));
            yield return (name + ", weights constant", () => Freed(path, constants: true));
            yield return (name + ", all computed", () => Freed(path, constants: false));
        }

        foreach (var path in context.Option("data") is { } data ? Files(data) : [])
        {
            yield return (Path.GetFileName(path), () => Prepared(Model.Open(path)));
        }

        foreach (var entry in ComponentCatalogs.Scan(typeof(LeNet).Assembly).Of(typeof(Architecture))!)
        {
            if (entry.Type.GetCustomAttribute<RequiredMemberAttribute>() is null)
            {
                yield return (entry.Name, () => ((Architecture)Activator.CreateInstance(entry.Type)!).Build(1));
            }
        }
    }

    private static IEnumerable<string> Files(string folder) =>
        Directory.Exists(folder) ? Directory.GetFiles(folder, "*.onnx", SearchOption.AllDirectories).Order(StringComparer.Ordinal) : [];

    /// <summary>A conformance case that neither its inputs nor its outputs hold in place; as it is where it cannot be freed.</summary>
    private static Model Freed(string path, bool constants)
    {
        var model = Model.Open(path);
        if (TensorFiles.Feeds(model, Path.Combine(Path.GetDirectoryName(path)!, "test_data_set_0")) is { } feeds && feeds.Sum(f => f.Value.Count) <= 2_000_000)
        {
            FreedModel.TryFree(model, feeds, constants);
        }

        return model;
    }

    /// <summary>As a user would have it: weights that are defaults of inputs, or computed, are constants.</summary>
    private static Model Prepared(Model model)
    {
        new RemoveInitializerInputs().Run(model);
        new FoldConstants { MaxGrowth = 1L << 30 }.Run(model);
        return model;
    }
}
