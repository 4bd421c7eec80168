using System.Collections.Immutable;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph.Catalogs;
using Build.ML.Recipes.Options;
using Build.ML.Recipes.Yaml;

namespace Build.ML.Recipes;

/// <summary>Reads <c>steps:</c>.</summary>
internal sealed class StepReader(Catalog<ITechnique> techniques, Violations violations, BindingScope scope)
{
    internal ImmutableArray<Step> Read(IReadOnlyList<(YamlScalar Id, YamlNode Value)> entries, long recipeSeed)
    {
        var steps = new List<Step>();
        var before = Recipe.SourceModel;
        foreach (var (id, value) in entries)
        {
            if (Read(id, (YamlMapping)value, before, recipeSeed) is { } step)
            {
                steps.Add(step);
            }

            before = id.Text;
        }

        RejectCycles(steps);
        return [.. steps];
    }

    private Step? Read(YamlScalar id, YamlMapping mapping, string before, long recipeSeed)
    {
        var keys = new MappingReader(mapping, violations);
        keys.Take("id");
        var use = keys.Text("use", required: true);
        var from = keys.Text("from");
        var with = keys.Map("with");
        var seed = RecipeReader.Whole(keys.Text("seed"), "seed", long.MinValue, long.MaxValue, violations) ?? recipeSeed;
        keys.Finish($"step '{id.Text}'");
        var source = from is null ? before : scope.Model(from);
        var technique = use is null ? null : RecipeReader.Find(techniques, use, "technique", violations);
        var options = technique is null ? null
            : new OptionBinder(scope).Bind(technique.Create().OptionsType, with, (YamlNode?)keys.Take("with")?.Key ?? use!, $"options of {technique.Name}");
        if (source is null || options is null)
        {
            return null;
        }

        // Metrics may compare with the source model.
        var needs = OptionWalk.References(options).Where(r => r.Kind is ReferenceKind.Model or ReferenceKind.Metric)
            .Select(r => r.Kind == ReferenceKind.Model ? r.Name : Recipe.SourceModel).Prepend(source);
        return new(id.Text, technique!.Name, options, source, seed, id.Location) { Needs = [.. needs.Distinct()] };
    }

    // Depth-first search with an explicit stack: a thousand steps in a row must not exhaust the call stack.
    private void RejectCycles(List<Step> steps)
    {
        var byId = steps.ToDictionary(s => s.Id);
        var done = new HashSet<string>();
        foreach (var root in steps)
        {
            var path = new List<(Step Step, int Next)> { (root, 0) };
            var onPath = new HashSet<string> { root.Id };
            while (path.Count > 0 && !done.Contains(root.Id))
            {
                var (step, next) = path[^1];
                if (next == step.Needs.Length)
                {
                    done.Add(step.Id);
                    onPath.Remove(step.Id);
                    path.RemoveAt(path.Count - 1);
                    continue;
                }

                path[^1] = (step, next + 1);
                if (!byId.TryGetValue(step.Needs[next], out var needed) || done.Contains(needed.Id))
                {
                    continue;
                }

                if (!onPath.Add(needed.Id))
                {
                    var start = path.FindIndex(p => p.Step.Id == needed.Id);
                    var circle = string.Join(" → ", path.Skip(start).Select(p => p.Step.Id).Append(needed.Id));
                    violations.Add(new Graph.Diagnostics.Diagnostic(
                        "BML1015", $"Steps need each other in a circle: {circle}; change 'from' or an option of one of them.", needed.Location));
                    return;
                }

                path.Add((needed, 0));
            }
        }
    }
}
