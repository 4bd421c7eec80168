using Build.ML.Caching.Files;
using Build.ML.Caching.Fingerprints;
using Build.ML.Engine.Evaluation;
using Build.ML.Engine.Running;
using Build.ML.Engine.Work;
using Build.ML.Recipes;

namespace Build.ML.Engine.Provenance;

/// <summary>
/// How an output came about, as an in-toto statement (version 1) with a SLSA provenance predicate (version 1): https://slsa.dev/spec/v1.0/provenance.
/// Everything in it follows from the inputs: no time, no path, no machine, and no figure that depends on one.
/// </summary>
internal static class ProvenanceStatement
{
    private const string StatementType = "https://in-toto.io/Statement/v1";
    private const string PredicateType = "https://slsa.dev/provenance/v1";
    private const string Builder = "pkg:nuget/Build.ML";
    private const string OptionPrefix = "option ";

    /// <summary>Name of the statement about a file.</summary>
    public static string FileFor(string path) => path + ".provenance.json";

    /// <summary>The statement.</summary>
    /// <param name="context">The output item's.</param>
    /// <param name="output">The output.</param>
    /// <param name="files">Full paths of the output's files.</param>
    public static string Write(ItemContext context, Output output, IReadOnlyList<string> files)
    {
        var lineage = Lineage(context.Recipe, output.Step);
        var fingerprints = lineage.ToDictionary(s => s.Id, s => ItemRecord.FingerprintIn(context.Sibling(s.Id).Directory), StringComparer.Ordinal);
        return EngineJson.Write(new Dictionary<string, object?>
        {
            ["_type"] = StatementType,
            ["subject"] = files.Select(f => new { Name = Path.GetFileName(f), Digest = Digest(FileHash.Of(f)) }),
            ["predicateType"] = PredicateType,
            ["predicate"] = new Dictionary<string, object?>
            {
                ["buildDefinition"] = new Dictionary<string, object?>
                {
                    ["buildType"] = Builder + "#recipe-v1",
                    ["externalParameters"] = External(context, output, lineage, fingerprints),
                    ["internalParameters"] = new { Fingerprints = lineage.ToDictionary(s => s.Id, s => fingerprints[s.Id].Hash) },
                    ["resolvedDependencies"] = Dependencies(context, output, lineage, fingerprints),
                },
                ["runDetails"] = new Dictionary<string, object?>
                {
                    ["builder"] = new { Id = Builder, Version = Versions(context) },
                    ["byproducts"] = Metrics(context, output),
                },
            },
        });
    }

    private static Dictionary<string, object?> External(
        ItemContext context, Output output, IReadOnlyList<Step> lineage, Dictionary<string, Fingerprint> fingerprints) => new()
        {
            ["recipe"] = context.Recipe.Name,
            ["output"] = output.FileName,
            ["steps"] = lineage.Select(s => new Dictionary<string, object?>
            {
                ["id"] = s.Id,
                ["use"] = s.Technique,
                ["from"] = s.From,
                ["seed"] = s.Seed,
                ["with"] = fingerprints[s.Id].Entries.Where(e => e.Description.StartsWith(OptionPrefix, StringComparison.Ordinal))
                    .ToDictionary(e => e.Description[OptionPrefix.Length..], e => e.Value),
            }),
        };

    // Whatever entered a fingerprint by its content hash.
    private static IEnumerable<object> Dependencies(
        ItemContext context, Output output, IReadOnlyList<Step> lineage, Dictionary<string, Fingerprint> fingerprints)
    {
        if (output.Step is not null)
        {
            yield return Source(context);
        }

        foreach (var step in lineage)
        {
            foreach (var entry in fingerprints[step.Id].Entries.Where(e => e.Value.Length == 64 && e.Value.All(char.IsAsciiHexDigitLower)))
            {
                yield return new { Name = $"{step.Id}: {entry.Description}", Digest = Digest(entry.Value) };
            }
        }
    }

    private static object Source(ItemContext context)
    {
        var item = context.Sibling(Recipe.SourceModel);
        if (context.Recipe.Model.Architecture is { } architecture)
        {
            return new { Name = $"architecture {architecture.Name}", Uri = (string?)null, Digest = Digest(FileHash.Of(context.ModelFile(Recipe.SourceModel))) };
        }

        var path = context.Recipe.Model.Reference.Path;
        var npm = NpmReference.TryParse(path, out var reference, out _) ? reference : null;
        return new
        {
            Name = npm?.Path ?? Path.GetFileName(path),
            Uri = npm is null ? null : $"pkg:npm/{npm.Package.Replace("@", "%40", StringComparison.Ordinal)}@{npm.Version}",
            Digest = Digest(((SourceWork)item.Work).Files.Hash),
        };
    }

    private static Dictionary<string, string> Versions(ItemContext context)
    {
        var versions = new Dictionary<string, string> { ["Build.ML"] = context.Services.EngineIdentity, ["runtime"] = context.Services.Inference.Runtime };
        foreach (var (name, version) in context.Services.PluginVersions)
        {
            versions[name] = version;
        }

        return versions;
    }

    private static object[]? Metrics(ItemContext context, Output output)
    {
        if (output.Step is null || context.Recipe.Evaluate is not { } evaluate || (output.Step != Recipe.SourceModel && !evaluate.Steps.Contains(output.Step)))
        {
            return null;
        }

        var figures = MetricsFile.Read(Path.Combine(context.Sibling(EvaluateWork.NameFor(output.Step)).Directory, EvaluateWork.FileName));
        return [new { Name = "metrics", Annotations = figures.Where(f => !f.DependsOnMachine).ToDictionary(f => f.Value.Name, f => f.Value.Value) }];
    }

    private static Dictionary<string, string> Digest(string sha256) => new() { ["sha256"] = sha256 };

    /// <summary>The steps that lead to a step, in an order in which each stands after those it needs.</summary>
    private static List<Step> Lineage(Recipe recipe, string? last)
    {
        var order = new List<Step>();
        Visit(last);
        return order;

        void Visit(string? id)
        {
            if (id is null or Recipe.SourceModel || order.Exists(s => s.Id == id))
            {
                return;
            }

            var step = recipe.StepNamed(id);
            foreach (var need in step.Needs)
            {
                Visit(need);
            }

            order.Add(step);
        }
    }
}
