using System.Collections.Immutable;
using System.Globalization;
using System.Reflection;
using Build.ML.Abstractions.Components;
using Build.ML.Abstractions.Metrics;
using Build.ML.Abstractions.Techniques;
using Build.ML.Caching.Fingerprints;
using Build.ML.Recipes;
using Build.ML.Recipes.Options;

namespace Build.ML.Engine.Planning;

/// <summary>
/// What decides the results of a recipe's parts, as fingerprint entries. No path, no name of a step, data set or recipe, and no place in a file enters:
/// a moved checkout, a comment or a renaming reruns nothing.
/// </summary>
internal sealed class Definitions(EngineServices services, Recipe recipe, PlanFiles files)
{
    // Raise when the meaning of entries or the layout of item directories changes.
    private const string Format = "1";

    /// <summary>Entries of every item.</summary>
    public FingerprintBuilder Begin() => new FingerprintBuilder().Add("format", Format).Add("engine", services.EngineIdentity);

    /// <summary>Entries of an item that runs models.</summary>
    public FingerprintBuilder BeginRun() => Begin().Add("runtime", services.Inference.Runtime);

    /// <summary>Entries of a step.</summary>
    public FingerprintBuilder OfStep(Step step)
    {
        var builder = BeginRun()
            .Add("technique", step.Technique)
            .Add($"assembly of {step.Technique}", services.AssemblyHash(services.Catalogs.Techniques.Find(step.Technique)!.Type))
            .Add("seed", step.Seed.ToString(CultureInfo.InvariantCulture));
        AddOptions(builder, "option ", step.Options);
        foreach (var (assembly, hash) in services.Gradients)
        {
            builder.Add($"gradients of {assembly.GetName().Name}", hash);
        }

        if (GateMetrics(step).Length > 0)
        {
            AddGates(builder);
        }

        return builder;
    }

    /// <summary>Entries of a model that an architecture builds.</summary>
    public FingerprintBuilder OfArchitecture(ArchitectureUse use)
    {
        var builder = Begin()
            .Add("architecture", use.Name)
            .Add($"assembly of {use.Name}", services.AssemblyHash(use.Options.GetType()))
            .Add("seed", use.Seed.ToString(CultureInfo.InvariantCulture));
        AddOptions(builder, "option ", use.Options);
        return builder;
    }

    /// <summary>The metrics that decide a step because its technique tries candidates against the gates; none for others.</summary>
    public ImmutableArray<string> GateMetrics(Step step) =>
        recipe.Evaluate is { } evaluation && services.Catalogs.Techniques.Find(step.Technique)!.Type.GetCustomAttribute<TechniqueAttribute>()!.ChecksGates
            ? [.. evaluation.Metrics.Select(m => m.Metric)] : [];

    // A step that tries candidates against the gates is decided by them and by all that they are measured with.
    private void AddGates(FingerprintBuilder builder)
    {
        foreach (var (gate, index) in recipe.Gates.Select((g, i) => (g, i + 1)))
        {
            builder.Add(string.Create(CultureInfo.InvariantCulture, $"gate {index}"), gate.Text);
        }

        AddEvaluation(builder, recipe.Evaluate!);
    }

    /// <summary>What decides the content of each data set that a step's options name: SHA-256 over its entries, by its name.</summary>
    public ImmutableSortedDictionary<string, string> DataOf(Step step) => OptionWalk.References(step.Options)
        .Where(r => r.Kind == ReferenceKind.Data)
        .Select(r => r.Name)
        .Distinct(StringComparer.Ordinal)
        .ToImmutableSortedDictionary(name => name, FingerprintOfData, StringComparer.Ordinal);

    /// <summary>Entries of an evaluation.</summary>
    public FingerprintBuilder OfEvaluation(Recipes.Evaluation evaluation)
    {
        var builder = BeginRun();
        AddEvaluation(builder, evaluation);
        return builder;
    }

    private void AddEvaluation(FingerprintBuilder builder, Recipes.Evaluation evaluation)
    {
        for (var i = 0; i < evaluation.Metrics.Length; i++)
        {
            AddMetric(builder, string.Create(CultureInfo.InvariantCulture, $"metric {i + 1} ({evaluation.Metrics[i].Metric})"), evaluation.Metrics[i]);
        }

        if (evaluation.Metrics.Any(m => MetricOf(m).DependsOnMachine))
        {
            builder.Add("machine", Machine.Description);
        }

        if (evaluation.Data is { } data)
        {
            AddData(builder, "data", recipe.DataNamed(data));
        }
    }

    private IMetric MetricOf(MetricUse use) => services.Catalogs.Metrics.Find(use.Metric)!.Create();

    private void AddMetric(FingerprintBuilder builder, string name, MetricUse use)
    {
        builder.Add(name, use.Metric).Add($"{name} assembly", services.AssemblyHash(services.Catalogs.Metrics.Find(use.Metric)!.Type));
        AddOptions(builder, $"{name} option ", use.Options);
    }

    /// <summary>Entries of options; data sets are followed down to the content of their files, models enter by what they are when the item runs.</summary>
    private void AddOptions(FingerprintBuilder builder, string prefix, object options)
    {
        var named = new List<OptionReference>();
        var canonical = OptionWalk.Canonical(options, reference =>
        {
            named.Add(reference);
            return reference.Kind switch
            {
                ReferenceKind.File => files.HashOf(reference.Name),
                ReferenceKind.Data => "data set",
                ReferenceKind.Metric => "metric",
                _ => "model",
            };
        });
        builder.Add(canonical.Select(o => new FingerprintEntry(prefix + o.Key, o.Value)));
        foreach (var (path, component) in OptionWalk.Components(options))
        {
            builder.Add($"{prefix}{path}: assembly of {ComponentCatalogs.NameOf(component)}", services.AssemblyHash(component.GetType()));
        }

        foreach (var reference in named.Where(r => r.Kind == ReferenceKind.Data))
        {
            AddData(builder, prefix + reference.Path, recipe.DataNamed(reference.Name));
        }

        foreach (var reference in named.Where(r => r.Kind == ReferenceKind.Metric))
        {
            var use = recipe.MetricNamed(reference.Name);
            AddMetric(builder, $"{prefix}{reference.Path}: metric", use);
            if (MetricOf(use).DependsOnMachine)
            {
                builder.Add($"{prefix}{reference.Path}: machine", Machine.Description);
            }
        }
    }

    private string FingerprintOfData(string name)
    {
        var builder = new FingerprintBuilder();
        AddData(builder, "data", recipe.DataNamed(name));
        return builder.Build().Hash;
    }

    private void AddData(FingerprintBuilder builder, string prefix, DataSource source)
    {
        builder.Add($"{prefix}: reader", source.Reader)
            .Add($"{prefix}: assembly of {source.Reader}", services.AssemblyHash(services.Catalogs.Readers.Find(source.Reader)!.Type))
            .Add($"{prefix}: skip", source.Skip.ToString(CultureInfo.InvariantCulture))
            .Add($"{prefix}: limit", source.Limit?.ToString(CultureInfo.InvariantCulture) ?? "none");
        if (source.ShuffleSeed is { } seed)
        {
            builder.Add($"{prefix}: shuffle", seed.ToString(CultureInfo.InvariantCulture));
        }

        if (source.Split is { } split)
        {
            AddOptions(builder, $"{prefix}: split ", split);
        }

        AddOptions(builder, $"{prefix}: ", source.Options);
    }
}
