namespace Build.ML.Architecture;

/// <summary>Who may reference whom: the table of the architecture, one row a project.</summary>
static class Layering
{
    /// <summary>A project's allowed references: projects of this repository, and libraries (package and assembly names).</summary>
    /// <param name="Projects">Projects that it may name in its project file; what these reference it may use too.</param>
    /// <param name="Libraries">Package or assembly names from outside; the .NET base library is always allowed.</param>
    internal sealed record Row(string[] Projects, string[] Libraries);

    static readonly string[] Contract = ["Build.ML.Abstractions", "Build.ML.Graph", "Build.ML.Autodiff", "Build.ML.Training"];
    static readonly string[] Vectors = ["System.Numerics.Tensors"];

    /// <summary>The product's layers.</summary>
    internal static IReadOnlyDictionary<string, Row> Source { get; } = new Dictionary<string, Row>(StringComparer.Ordinal)
    {
        ["Build.ML.Graph"] = new([], Vectors),
        ["Build.ML.Autodiff"] = new(["Build.ML.Graph"], Vectors),
        ["Build.ML.Abstractions"] = new(["Build.ML.Graph"], Vectors),
        // Shared, as plugins of several makers bring losses, optimizers and augmentations.
        ["Build.ML.Training"] = new(["Build.ML.Abstractions", "Build.ML.Autodiff"], Vectors),
        // A private dependency of plugins: each brings its own copy, which the plugin's content hash covers.
        ["Build.ML.Calibration"] = new(["Build.ML.Abstractions"], Vectors),
        ["Build.ML.Recipes"] = new(["Build.ML.Abstractions"], ["YamlDotNet"]),
        ["Build.ML.Plugins"] = new(["Build.ML.Abstractions", "Build.ML.Training"], []), // the latter to deploy it
        ["Build.ML.Caching"] = new(["Build.ML.Abstractions"], []),
        ["Build.ML.OnnxRuntime"] = new(["Build.ML.Abstractions"], ["Microsoft.ML.OnnxRuntime", .. Vectors]),
        // What apps load to open packed models: alone.
        ["Build.ML.Packing"] = new([], []),
        ["Build.ML.Engine"] = new(["Build.ML.Recipes", "Build.ML.Plugins", "Build.ML.Caching", "Build.ML.OnnxRuntime", "Build.ML.Packing"], []),
        ["Build.ML.Worker"] = new(["Build.ML.Engine"], []),
        ["Build.ML.Tasks"] = new([], ["Microsoft.Build.Utilities.Core", "Microsoft.Build.Framework"]),
        ["Build.ML.Cli"] = new(["Build.ML.Engine"], ["System.CommandLine", "Spectre.Console"]),
        ["Build.ML.Testing"] = new(["Build.ML.Abstractions", "Build.ML.Autodiff"], []),
    };

    /// <summary>The built-in plugins: the contract, and private libraries that the row names.</summary>
    internal static IReadOnlyDictionary<string, Row> Plugins { get; } = new Dictionary<string, Row>(StringComparer.Ordinal)
    {
        ["Build.ML.Quantization"] = new([.. Contract, "Build.ML.Calibration"], Vectors),
        ["Build.ML.Pruning"] = new([.. Contract, "Build.ML.Calibration"], Vectors),
        ["Build.ML.WeightSharing"] = new(Contract, Vectors),
        ["Build.ML.LowRank"] = new([.. Contract, "Build.ML.Calibration"], Vectors),
        ["Build.ML.Optimization"] = new(Contract, Vectors),
        ["Build.ML.Architectures"] = new(Contract, Vectors),
        ["Build.ML.FineTuning"] = new(Contract, Vectors),
        ["Build.ML.Distillation"] = new(Contract, []),
        ["Build.ML.Data"] = new(Contract, [.. Vectors, "Microsoft.ML.Tokenizers"]),
        ["Build.ML.Metrics"] = new([.. Contract, "Build.ML.Packing"], Vectors),
    };

    /// <summary>The projects that <paramref name="project"/> may use: those that its row names, and theirs.</summary>
    internal static IReadOnlySet<string> Reachable(Row project)
    {
        var reached = new HashSet<string>(StringComparer.Ordinal);
        var pending = new Stack<string>(project.Projects);
        while (pending.TryPop(out var name))
            if (reached.Add(name))
                foreach (var next in Source[name].Projects)
                    pending.Push(next);
        return reached;
    }
}
