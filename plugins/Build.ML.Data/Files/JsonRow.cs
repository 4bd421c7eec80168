using System.Collections.Immutable;
using System.Text.Json;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Tensors;

namespace Build.ML.Data.Files;

/// <summary>One object of a JSON Lines file; what its fields lack is added to a list of violations.</summary>
internal readonly struct JsonRow(JsonElement row, string file, int line, List<Diagnostic> errors)
{
    /// <summary>A string field; empty after a violation.</summary>
    public string Text(string name)
    {
        if (Field(name) is { ValueKind: JsonValueKind.String } text)
        {
            return text.GetString()!;
        }

        Refuse(name, "a string");
        return "";
    }

    /// <summary>A class: an integer, a boolean, or one of <paramref name="classes"/>; 0 after a violation.</summary>
    public long Class(string name, ImmutableArray<string> classes)
    {
        var field = Field(name);
        var named = !classes.IsDefaultOrEmpty;
        long? value = field?.ValueKind switch
        {
            JsonValueKind.True when !named => 1,
            JsonValueKind.False when !named => 0,
            JsonValueKind.Number when !named && field.Value.TryGetInt64(out var number) => number,
            JsonValueKind.String when named && classes.IndexOf(field.Value.GetString()!) is >= 0 and var index => index,
            _ => null,
        };
        if (value is null)
        {
            Refuse(name, named ? $"one of {string.Join(", ", classes)}" : "an integer or boolean");
        }

        return value ?? 0;
    }

    /// <summary>Numbers as a tensor; of one zero after a violation.</summary>
    public Tensor Numbers(string name, bool isInteger, ImmutableArray<long> shape)
    {
        var sizes = new List<long>();
        var floats = new List<float>();
        var integers = new List<long>();
        var field = Field(name);
        if (field is null || !Read(field.Value, 0))
        {
            Refuse(name, $"{(isInteger ? "an integer" : "a number")}, or arrays of them that are equally long in each dimension");
            return Tensor.Of(new float[1]);
        }

        var count = isInteger ? integers.Count : floats.Count;
        var product = 1L;
        foreach (var size in shape.IsDefault ? [] : shape)
        {
            product *= size;
        }

        if (!shape.IsDefaultOrEmpty && product != count)
        {
            Refuse(name, $"{product} numbers as 'shape' [{string.Join(',', shape)}] says, found {count}");
            return Tensor.Of(new float[1]);
        }

        long[] actual = shape.IsDefaultOrEmpty ? [.. sizes] : [.. shape];
        return (isInteger ? Tensor.Of(integers.ToArray(), count) : Tensor.Of(floats.ToArray(), count)).Reshape(actual);

        bool Read(JsonElement element, int depth)
        {
            if (element.ValueKind == JsonValueKind.Array)
            {
                var length = element.GetArrayLength();
                if (depth == sizes.Count && floats.Count + integers.Count == 0)
                {
                    sizes.Add(length);
                }

                if (depth >= sizes.Count || sizes[depth] != length)
                {
                    return false;
                }

                foreach (var item in element.EnumerateArray())
                {
                    if (!Read(item, depth + 1))
                    {
                        return false;
                    }
                }

                return true;
            }

            if (element.ValueKind != JsonValueKind.Number || depth != sizes.Count)
            {
                return false;
            }

            if (!isInteger)
            {
                floats.Add(element.GetSingle());
                return true;
            }

            var isWhole = element.TryGetInt64(out var number);
            integers.Add(number);
            return isWhole;
        }
    }

    private JsonElement? Field(string name) => row.ValueKind == JsonValueKind.Object && row.TryGetProperty(name, out var value) ? value : null;

    private void Refuse(string name, string expected) => errors.Add(DataErrors.MalformedLine(
        file, line, Field(name) is { } field ? $"{Shorten(field.GetRawText())} in '{name}'" : $"no field '{name}'", expected));

    private static string Shorten(string text) => text.Length <= 40 ? text : text[..40] + "…";
}
