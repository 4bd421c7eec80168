namespace Build.ML.Tasks.Json;

/// <summary>A JSON object with typed access; a member that is missing or of another type reads as empty, zero or false.</summary>
public sealed class JsonObject : Dictionary<string, object?>
{
    /// <summary>Creates an empty object with ordinal names.</summary>
    public JsonObject() : base(StringComparer.Ordinal)
    {
    }

    /// <summary>A string; empty when missing.</summary>
    public string Text(string name) => Get(name) as string ?? "";

    /// <summary>A whole number; 0 when missing.</summary>
    public long Number(string name) => Get(name) switch { long whole => whole, double number => (long)number, _ => 0 };

    /// <summary>A number; 0 when missing.</summary>
    public double Real(string name) => Get(name) switch { long whole => whole, double number => number, _ => 0 };

    /// <summary>A truth value; false when missing.</summary>
    public bool Flag(string name) => Get(name) is true;

    /// <summary>An object; empty when missing.</summary>
    public JsonObject Object(string name) => Get(name) as JsonObject ?? [];

    /// <summary>The objects of an array; none when missing.</summary>
    public IEnumerable<JsonObject> Objects(string name) => Array(name).OfType<JsonObject>();

    /// <summary>The strings of an array; none when missing.</summary>
    public string[] Texts(string name) => [.. Array(name).OfType<string>()];

    List<object?> Array(string name) => Get(name) as List<object?> ?? [];

    object? Get(string name) => TryGetValue(name, out var value) ? value : null;
}
