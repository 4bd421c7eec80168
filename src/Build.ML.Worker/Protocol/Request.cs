using System.Text.Json;

namespace Build.ML.Worker.Protocol;

/// <summary>One line of input: <c>{"id":1,"method":"run","params":{…}}</c>.</summary>
/// <param name="Id">Chosen by the caller; every reply to the request carries it.</param>
/// <param name="Method"><c>plan</c>, <c>run</c>, <c>cancel</c> (of the request with the same id) or <c>shutdown</c>.</param>
/// <param name="Parameters">What the method needs.</param>
public sealed record Request(long Id, string Method, JsonElement Parameters)
{
    /// <summary>Reads a line.</summary>
    /// <exception cref="JsonException">It is no request.</exception>
    public static Request Parse(string line)
    {
        using var document = JsonDocument.Parse(line);
        var root = document.RootElement;
        return root.ValueKind == JsonValueKind.Object
            && root.TryGetProperty("id", out var id) && id.TryGetInt64(out var number)
            && root.TryGetProperty("method", out var method) && method.GetString() is { } name
            ? new Request(number, name, root.TryGetProperty("params", out var parameters) ? parameters.Clone() : default)
            : throw new JsonException($"Expected an object with an id and a method, found {line}");
    }

    /// <summary>A text parameter; empty when missing.</summary>
    public string Text(string name) => Parameters.TryGetProperty(name, out var value) ? value.GetString() ?? "" : "";
}
