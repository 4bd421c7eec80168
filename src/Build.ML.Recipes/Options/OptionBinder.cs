using System.ComponentModel.DataAnnotations;
using System.Reflection;
using Build.ML.Abstractions;
using Build.ML.Abstractions.Components;
using Build.ML.Recipes.Yaml;

namespace Build.ML.Recipes.Options;

/// <summary>Binds YAML to options records and checks every value.</summary>
internal sealed class OptionBinder(BindingScope scope)
{
    /// <summary>Binds a mapping.</summary>
    /// <param name="type">The options record.</param>
    /// <param name="mapping">The keys, or null for none.</param>
    /// <param name="place">Where a missing key is reported when there is no mapping.</param>
    /// <param name="where">For messages: <c>options of prune.magnitude</c>.</param>
    /// <param name="reserved">Keys of the mapping that are not options.</param>
    /// <returns>The record, or null after a violation.</returns>
    internal object? Bind(Type type, YamlMapping? mapping, YamlNode place, string where, params string[] reserved)
    {
        var before = scope.Violations.Count;
        var record = OptionRecord.Of(type);
        var reader = mapping is null ? null : new MappingReader(mapping, scope.Violations);
        foreach (var key in reserved)
        {
            reader?.Take(key);
        }

        var values = new Dictionary<OptionProperty, object?>();
        var nodes = new Dictionary<string, YamlNode>(StringComparer.Ordinal);
        foreach (var option in record.Properties)
        {
            if (reader?.Take(option.Key)?.Value is { } node)
            {
                nodes[option.Property.Name] = node;
                BindOption(option, node, values);
            }
            else if (option.IsRequired)
            {
                scope.Violations.Add("BML1007", mapping ?? place, $"Option '{option.Key}' is missing in {where}; add it.");
            }
        }

        reader?.Finish(where);
        if (scope.Violations.Count != before)
        {
            return null;
        }

        if (Created(record, values, mapping ?? place, where) is not { } options)
        {
            return null;
        }

        CheckWhole(options, mapping ?? place, where, nodes);
        return scope.Violations.Count == before ? options : null;
    }

    private void BindOption(OptionProperty option, YamlNode node, Dictionary<OptionProperty, object?> values)
    {
        var before = scope.Violations.Count;
        var value = Value(option.Type, node, option.Key, option);
        if (scope.Violations.Count == before)
        {
            OptionChecks.Check(option, value, node, scope.Violations);
            values[option] = value;
        }
    }

    // Null after a violation; a null that is meant is told apart by the count of violations.
    private object? Value(OptionType type, YamlNode node, string name, OptionProperty option)
    {
        if (node is YamlScalar { IsNull: true } && type is not TextOption { AllowsNull: false })
        {
            return type.AllowsNull ? null : Mismatch(type, node, name);
        }

        return (type, node) switch
        {
            (RecordOption record, YamlMapping mapping) => Bind(record.ClrType, mapping, mapping, $"'{name}'"),
            (ComponentOption component, YamlScalar or YamlMapping) => Component(component.ClrType, node, ComponentOption.Selector),
            (ListOption list, YamlSequence sequence) => List(list, sequence, name, option),
            (MapOption map, YamlMapping mapping) => Map(map, mapping, name, option),
            (ReferenceOption reference, YamlScalar scalar) => scope.Resolve(reference.Kind, scalar),
            (_, YamlScalar scalar) => OptionScalars.TryRead(type, scalar, option, out var value) ? value : Mismatch(type, node, name),
            _ => Mismatch(type, node, name),
        };
    }

    /// <summary>Binds a component: its name alone, or a mapping with the name under a key and the options of the class that it names.</summary>
    /// <param name="kind">The kind.</param>
    /// <param name="node">Text or a mapping.</param>
    /// <param name="selector">The key that names the class.</param>
    /// <param name="reserved">Further keys of the mapping that are not options.</param>
    /// <returns>The component, or null after a violation.</returns>
    internal object? Component(Type kind, YamlNode node, string selector, params string[] reserved)
    {
        var mapping = node as YamlMapping;
        var name = mapping is null ? (YamlScalar)node : new MappingReader(mapping, scope.Violations).Text(selector, required: true);
        if (name is null || scope.Component(kind, name) is not { } entry)
        {
            return null;
        }

        OptionRecord.Reject(entry.Type, [selector, .. reserved]);
        return Bind(entry.Type, mapping, node, $"options of {ComponentCatalogs.WordFor(kind)} {entry.Name}", [selector, .. reserved]);
    }

    private object? List(ListOption type, YamlSequence sequence, string name, OptionProperty option)
    {
        var before = scope.Violations.Count;
        var items = sequence.Items.Select((item, i) => Value(type.Item, item, $"{name}[{i}]", option)).ToArray();
        return scope.Violations.Count == before ? OptionCollections.List(type, items) : null;
    }

    private object? Map(MapOption type, YamlMapping mapping, string name, OptionProperty option)
    {
        var before = scope.Violations.Count;
        var entries = mapping.Entries.Select(e => KeyValuePair.Create(e.Key.Text, Value(type.Value, e.Value, $"{name}.{e.Key.Text}", option))).ToArray();
        return scope.Violations.Count == before ? OptionCollections.Map(type, entries) : null;
    }

    private object? Mismatch(OptionType type, YamlNode node, string name)
    {
        var code = node is YamlScalar && type is not (RecordOption or ListOption or MapOption or ComponentOption) ? "BML1009" : "BML1008";
        var hint = type is EnumOption words && node is YamlScalar word ? scope.Violations.Suggest(word.Text, words.Values.Select(v => v.Key)) : "";
        scope.Violations.Add(code, node, $"'{name}' is {node.Kind}; expected {OptionScalars.Expected(type)}.{hint}");
        return null;
    }

    // An init accessor or constructor may refuse a value with an ArgumentException; anything else it throws is a bug of the plugin.
    private object? Created(OptionRecord record, Dictionary<OptionProperty, object?> values, YamlNode place, string where)
    {
        try
        {
            return record.Create(values);
        }
        catch (TargetInvocationException e) when (e.InnerException is ArgumentException refusal)
        {
            scope.Violations.Add("BML1011", place, $"Refused in {where}: {refusal.Message}");
            return null;
        }
    }

    private void CheckWhole(object options, YamlNode place, string where, Dictionary<string, YamlNode> nodes)
    {
        if (options is not IValidatableObject validatable)
        {
            return;
        }

        foreach (var result in validatable.Validate(new ValidationContext(options)).OfType<ValidationResult>())
        {
            var members = result.MemberNames.ToArray();
            var at = members.Select(m => nodes.GetValueOrDefault(m)).FirstOrDefault(n => n is not null) ?? place;
            var named = members.Length == 0 ? "" : $" ({string.Join(", ", members.Select(SnakeCase.Of))})";
            scope.Violations.Add("BML1011", at, $"Contradiction in {where}{named}: {result.ErrorMessage}");
        }
    }
}
