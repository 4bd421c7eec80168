using System.Collections.Immutable;
using Build.ML.Abstractions.Metrics;
using Build.ML.Graph.Catalogs;
using Build.ML.Abstractions.References;
using Build.ML.Graph.Diagnostics;
using Build.ML.Recipes.Gates;
using Build.ML.Recipes.Options;
using Build.ML.Recipes.Yaml;

namespace Build.ML.Recipes;

/// <summary>Reads what a recipe does with its steps' models: <c>evaluate:</c>, <c>gates:</c>, <c>outputs:</c>.</summary>
internal sealed class ResultReader(Catalog<IMetric> metrics, Violations violations, BindingScope scope, IReadOnlyList<string> steps)
{
    private readonly HashSet<string> _metricNames = [];
    private readonly HashSet<string> _steps = [.. steps];
    private HashSet<string> _evaluated = [];

    internal Evaluation? Evaluation(YamlMapping? mapping)
    {
        if (mapping is null)
        {
            return null;
        }

        var keys = new MappingReader(mapping, violations);
        var data = keys.Text("data") is { } name ? scope.Data(name) : null;
        var uses = keys.List("metrics", required: true) is { } list ? list.Items.Select(Metric).OfType<MetricUse>().ToImmutableArray() : [];
        _evaluated = keys.List("steps") is { } filter ? [.. filter.Items.Select(StepIn).OfType<string>()] : [.. steps];
        keys.Finish("'evaluate'");
        return new(data, uses, [.. steps.Where(_evaluated.Contains)], mapping.Location);
    }

    internal ImmutableArray<Gate> Gates(YamlSequence? list)
    {
        var gates = ImmutableArray.CreateBuilder<Gate>();
        foreach (var item in list?.Items ?? [])
        {
            if (item is not YamlScalar { IsNull: false } scalar)
            {
                violations.Add("BML1008", item, $"A gate is {item.Kind}; expected a condition such as 'accuracy >= model.accuracy - 0.01'.");
                continue;
            }

            try
            {
                // Behind the opening quote; escapes in quoted text may shift the column by a little.
                var place = scalar.Location with { Column = scalar.Column + (scalar.IsPlain ? 0 : 1) };
                var gate = new Gate(GateExpression.Parse(scalar.Text, place), place);
                foreach (var metric in gate.Expression.Metrics)
                {
                    Check(metric, place with { Column = place.Column + metric.Offset });
                }

                gates.Add(gate);
            }
            catch (DiagnosticException e)
            {
                violations.Add(e);
            }
        }

        return gates.ToImmutable();
    }

    internal ImmutableArray<Output> Outputs(YamlMapping? mapping)
    {
        var outputs = ImmutableArray.CreateBuilder<Output>();
        var names = new OutputNames();
        foreach (var (name, value) in (mapping?.Entries ?? []).Select(e => (e.Key, e.Value)))
        {
            if (RecipeNames.OutputProblem(name.Text) is { } problem)
            {
                violations.Add("BML1018", name, $"{name.Kind} cannot name an output: {problem}.");
            }
            else if (names.Clash(name.Text) is { } other)
            {
                violations.Add("BML1017", name, $"Output {name.Kind} and output '{other}' would be one file or folder; rename one.");
            }
            else if (value is not YamlScalar { IsNull: false } scalar)
            {
                violations.Add("BML1008", value, $"Output '{name.Text}' is {value.Kind}; expected the id of a step or a file.");
            }
            else
            {
                names.Add(name.Text);
                if (OutputOf(name, scalar) is { } output)
                {
                    outputs.Add(output);
                }
            }
        }

        return outputs.ToImmutable();
    }

    private Output? OutputOf(YamlScalar name, YamlScalar value)
    {
        if (value.Text == Recipe.SourceModel || _steps.Contains(value.Text))
        {
            return new(name.Text, value.Text, null, name.Location);
        }

        var (path, problem) = FileReferences.Resolve(value);
        if (problem is { Code: "BML1021" })
        {
            violations.Add("BML1013", value, $"Output {value.Kind} is neither a step nor a file that exists.{violations.Suggest(value.Text, steps)}");
        }
        else if (problem is not null)
        {
            violations.Add(problem);
        }

        return path is null ? null : new(name.Text, null, new FileReference(path), name.Location);
    }

    private MetricUse? Metric(YamlNode node)
    {
        var mapping = node as YamlMapping;
        var name = mapping is not null ? new MappingReader(mapping, violations).Text("use", required: true) : node as YamlScalar;
        if (name is null)
        {
            if (mapping is null)
            {
                violations.Add("BML1008", node, $"A metric is {node.Kind}; expected a name, or a mapping with 'use' and its options.");
            }

            return null;
        }

        if (RecipeReader.Find(metrics, name, "metric", violations) is not { } entry)
        {
            return null;
        }

        if (!_metricNames.Add(entry.Name))
        {
            violations.Add("BML1017", name, $"Metric {name.Kind} is here a second time; its figures would have the same names: keep one.");
        }

        var options = new OptionBinder(scope).Bind(entry.Create().OptionsType, mapping, node, $"options of metric {entry.Name}", "use");
        return options is null ? null : new(entry.Name, options, name.Location);
    }

    private string? StepIn(YamlNode node)
    {
        if (node is not YamlScalar scalar)
        {
            violations.Add("BML1008", node, $"A step to evaluate is {node.Kind}; expected its id.");
            return null;
        }

        return scope.Model(scalar) is { } id && id != Recipe.SourceModel ? id : null; // the source model is measured anyway
    }

    private void Check(GateMetric metric, SourceLocation place)
    {
        // A metric that yields several figures names them <metric>_<suffix>; which ones is known when it has run.
        if (!_metricNames.Any(n => metric.Metric == n || metric.Metric.StartsWith(n + "_", StringComparison.Ordinal)))
        {
            violations.Add(new Diagnostic("BML1031",
                $"Gate names '{metric.Metric}', which 'evaluate' does not measure.{violations.Suggest(metric.Metric, _metricNames)} Add the metric under 'evaluate'.", place));
        }

        if (metric.Model is { } model && model != Recipe.SourceModel && !_steps.Contains(model))
        {
            violations.Add(new Diagnostic("BML1013",
                $"'{model}' in a gate is neither 'model' nor the id of a step (a minus sign needs blanks around it).{violations.Suggest(model, [Recipe.SourceModel, .. steps])}",
                place));
        }
        else if ((metric.Model ?? (steps.Count > 0 ? steps[^1] : null)) is { } measured && measured != Recipe.SourceModel && !_evaluated.Contains(measured) && _evaluated.Count > 0)
        {
            violations.Add(new Diagnostic("BML1031", $"Gate needs '{metric}', but step '{measured}' is not among the steps of 'evaluate'; add it there.", place));
        }
    }
}
