using System.Collections.Immutable;
using Build.ML.Abstractions;
using Build.ML.Abstractions.Architectures;
using Build.ML.Abstractions.Components;
using Build.ML.Graph.Catalogs;
using Build.ML.Abstractions.References;
using Build.ML.Recipes.Options;
using Build.ML.Recipes.Yaml;

namespace Build.ML.Recipes;

/// <summary>A recipe's YAML to its records. Goes on after a violation, so that all are found.</summary>
internal sealed class RecipeReader(CatalogSet catalogs, Violations violations, RecipeLoader loader)
{
    /// <summary>The key of <c>model:</c> that names an architecture.</summary>
    internal const string ArchitectureKey = "architecture";

    /// <summary>The key that sets a seed.</summary>
    internal const string SeedKey = "seed";

    internal Recipe? Read(MappingReader top, PropertyExpander expander)
    {
        var source = loader.Files[0];
        var data = Named(loader.Data.Select(e => ((YamlScalar?)e.Key, e.Value)), "data set", isStep: false);
        var steps = Named(loader.Steps.Select(StepId), "step", isStep: true);
        var stepNames = steps.Select(s => s.Name.Text).ToArray();
        var scope = new BindingScope(
            violations, catalogs.Components, data.Select(d => d.Name.Text).ToHashSet(), stepNames.Append(Recipe.SourceModel).ToHashSet(), new HashSet<string>());
        var results = new ResultReader(catalogs.Metrics, violations, scope, stepNames);
        var evaluate = results.Evaluation(top.Map("evaluate"));
        var stepScope = scope.WithMetrics((evaluate?.Metrics ?? []).Select(m => m.Metric).ToHashSet());
        var seed = Whole<long>(top.Text(SeedKey), SeedKey, long.MinValue, long.MaxValue) ?? 0;
        var recipe = new Recipe
        {
            Name = NameOf(top, source),
            File = source.FullPath,
            Files = [.. loader.Files.Select(f => f.FullPath).Distinct()],
            Properties = expander.Used.ToImmutableSortedDictionary(StringComparer.Ordinal),
            Model = ModelOf(top, scope, seed),
            Seed = seed,
            Data = [.. data.Select(d => DataOf(d.Name, d.Value, scope)).OfType<DataSource>()],
            Steps = [],
        };
        if (loader.Steps.Count == 0)
        {
            violations.Add("BML1007", top.Mapping, "Key 'steps' is missing or empty; add at least one step.");
        }

        recipe = recipe with { Steps = new StepReader(catalogs.Techniques, violations, stepScope).Read(steps, recipe.Seed) };
        recipe = recipe with
        {
            Evaluate = evaluate,
            Gates = results.Gates(top.List("gates")),
            Outputs = results.Outputs(top.Map("outputs")),
        };
        top.Finish("the recipe");
        return violations.Count == 0 ? recipe : null;
    }

    /// <summary>A whole number within bounds, or null after a violation or where there is none.</summary>
    internal static T? Whole<T>(YamlScalar? scalar, string name, T minimum, T maximum, Violations violations)
        where T : struct, System.Numerics.IBinaryInteger<T>
    {
        if (scalar is null)
        {
            return null;
        }

        if (scalar.IsPlain && OptionScalars.TryInteger(scalar.Text, out var value) && value >= Int128.CreateChecked(minimum) && value <= Int128.CreateChecked(maximum))
        {
            return T.CreateChecked(value);
        }

        violations.Add("BML1009", scalar, $"'{name}' is {scalar.Kind}; expected a whole number from {minimum} to {maximum}.");
        return null;
    }

    private T? Whole<T>(YamlScalar? scalar, string name, T minimum, T maximum)
        where T : struct, System.Numerics.IBinaryInteger<T> => Whole(scalar, name, minimum, maximum, violations);

    private (YamlScalar? Name, YamlNode Value) StepId(YamlNode node)
    {
        if (node is YamlMapping mapping)
        {
            return (new MappingReader(mapping, violations).Text("id", required: true), node);
        }

        violations.Add("BML1008", node, $"A step is {node.Kind}; expected a mapping with 'id', 'use' and 'with'.");
        return (null, node);
    }

    // Names must differ without regard to case: they become folders, and two that differ by case only are one on Windows and macOS.
    private List<(YamlScalar Name, YamlNode Value)> Named(IEnumerable<(YamlScalar? Name, YamlNode Value)> entries, string what, bool isStep)
    {
        var result = new List<(YamlScalar, YamlNode)>();
        var seen = new Dictionary<string, YamlScalar>(StringComparer.OrdinalIgnoreCase);
        foreach (var (name, value) in entries)
        {
            if (name is null)
            {
                continue;
            }

            if (RecipeNames.Problem(name.Text, isStep) is { } problem)
            {
                violations.Add("BML1016", name, $"{name.Kind} cannot name a {what}: {problem}.");
            }
            else if (!seen.TryAdd(name.Text, name))
            {
                violations.Add("BML1017", name, $"{name.Kind} already names a {what} at {seen[name.Text].Location}; names must differ by more than case.");
            }
            else
            {
                result.Add((name, value));
            }
        }

        return result;
    }

    private string NameOf(MappingReader top, YamlSource source)
    {
        var scalar = top.Text("recipe");
        var file = Path.GetFileName(source.FullPath);
        var name = scalar?.Text ?? (file.EndsWith(RecipeFile.Extension, StringComparison.OrdinalIgnoreCase)
            ? file[..^RecipeFile.Extension.Length] : Path.GetFileNameWithoutExtension(file));
        if (RecipeNames.Problem(name, isStep: false) is { } problem)
        {
            violations.Add("BML1016", (YamlNode?)scalar ?? top.Mapping,
                $"'{YamlScalar.Shorten(name)}' cannot name a recipe: {problem}; set 'recipe:' to a valid name.");
        }

        return name;
    }

    private ModelSource ModelOf(MappingReader top, BindingScope scope, long seed)
    {
        var node = top.Value("model", required: true);
        var source = new ModelSource(new FileReference(""), (node ?? top.Mapping).Location);
        switch (node)
        {
            case YamlMapping mapping:
                var own = Whole(new MappingReader(mapping, violations).Text(SeedKey), SeedKey, long.MinValue, long.MaxValue);
                var options = new OptionBinder(scope.FilesOnly()).Component(typeof(Architecture), mapping, ArchitectureKey, SeedKey);
                return options is null ? source : source with { Architecture = new(ComponentCatalogs.NameOf(options), (Architecture)options, own ?? seed) };
            case YamlScalar scalar:
                return source with { Reference = new(FileOf(scalar)) };
            case not null:
                violations.Add("BML1008", node, $"'model' is {node.Kind}; expected a path, or a mapping with '{ArchitectureKey}' and its options.");
                break;
            default:
                break;
        }

        return source;
    }

    private string FileOf(YamlScalar scalar)
    {
        var (path, problem) = FileReferences.Resolve(scalar);
        if (problem is not null)
        {
            violations.Add(problem);
        }
        else if (Directory.Exists(path))
        {
            violations.Add("BML1021", scalar, $"'model' is the folder {path}; expected an .onnx file.");
        }

        return path ?? "";
    }

    private DataSource? DataOf(YamlScalar name, YamlNode value, BindingScope scope)
    {
        if (value is not YamlMapping mapping)
        {
            violations.Add("BML1008", value, $"Data set '{name.Text}' is {value.Kind}; expected a mapping with 'reader' and its options.");
            return null;
        }

        var keys = new MappingReader(mapping, violations);
        var limit = Whole(keys.Text("limit"), "limit", 1, int.MaxValue);
        var skip = Whole(keys.Text("skip"), "skip", 0, int.MaxValue);
        var shuffle = Whole(keys.Text("shuffle"), "shuffle", 0, int.MaxValue);
        var binder = new OptionBinder(scope.FilesOnly());
        var split = keys.Map("split") is { } parts ? (DataSplit?)binder.Bind(typeof(DataSplit), parts, parts, $"'split' of data set '{name.Text}'") : null;
        if (keys.Text("reader", required: true) is not { } reader || Find(catalogs.Readers, reader, "reader", violations) is not { } entry)
        {
            return null;
        }

        var options = binder.Bind(entry.Create().OptionsType, mapping, mapping, $"data set '{name.Text}' of reader {entry.Name}", DataSource.CommonKeys);
        return options is null ? null
            : new(name.Text, entry.Name, options, name.Location) { Limit = limit, Skip = skip ?? 0, ShuffleSeed = shuffle, Split = split };
    }

    /// <summary>The catalog's entry, or null after a violation.</summary>
    internal static CatalogEntry<T>? Find<T>(Catalog<T> catalog, YamlScalar name, string what, Violations violations)
        where T : class
    {
        if (catalog.Find(name.Text) is { } entry)
        {
            return entry;
        }

        violations.Add("BML1012", name, $"No {what} is named {name.Kind}.{violations.Suggest(name.Text, catalog.Names)} A plugin that brings it may be missing.");
        return null;
    }
}
