using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Cli.Output;

/// <summary>The one JSON document that <c>--json</c> prints: stable, documented in docs/cli.md.</summary>
internal static class JsonOutput
{
    /// <summary>snake_case, indented; infinite figures as the strings <c>Infinity</c>, <c>-Infinity</c>, <c>NaN</c>.</summary>
    public static JsonSerializerOptions Options { get; } = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
        NewLine = "\n",
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
    };

    /// <summary>Prints the document.</summary>
    public static void Write(TextWriter output, string command, int exitCode, IEnumerable<Diagnostic> diagnostics, object? result) =>
        output.WriteLine(JsonSerializer.Serialize(
            new Document(command, exitCode, [.. diagnostics.Select(d => new Entry(
                d.Severity, d.Code, d.Message, d.Location?.File, Place(d.Location?.Line), Place(d.Location?.Column)))], result),
            Options));

    private static int? Place(int? number) => number > 0 ? number : null;

    private sealed record Document(string Command, int ExitCode, IReadOnlyList<Entry> Diagnostics, object? Result);

    private sealed record Entry(Severity Severity, string Code, string Message, string? File, int? Line, int? Column);
}
