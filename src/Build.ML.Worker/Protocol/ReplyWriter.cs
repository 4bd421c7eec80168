using System.Text.Json;
using System.Text.Json.Nodes;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Worker.Protocol;

/// <summary>Writes replies, one JSON object a line, from any thread. A caller that is gone is not missed: what it would read is dropped.</summary>
/// <param name="output">Where to.</param>
public sealed class ReplyWriter(Stream output)
{
    static readonly byte[] LineEnd = [(byte)'\n'];

    readonly Lock writing = new();

    /// <summary>Ends a request with what it came to.</summary>
    public void Result(long id, JsonObject result) => Write(new JsonObject { ["id"] = id, ["result"] = result });

    /// <summary>Ends a request that failed.</summary>
    public void Error(long id, IEnumerable<Diagnostic> diagnostics) => Write(new JsonObject
    {
        ["id"] = id,
        ["error"] = new JsonObject { ["diagnostics"] = new JsonArray([.. diagnostics.Select(Of)]) },
    });

    /// <summary>A diagnostic in the course of a request.</summary>
    public void Diagnostic(long id, Diagnostic diagnostic)
    {
        var reply = Of(diagnostic);
        reply["id"] = id;
        reply["event"] = "diagnostic";
        Write(reply);
    }

    /// <summary>A line of text for the user.</summary>
    public void Message(long id, string text, bool important) =>
        Write(new JsonObject { ["id"] = id, ["event"] = "message", ["text"] = text, ["important"] = important });

    /// <summary>How far a request is.</summary>
    public void Progress(long id, double fraction, string phase, TimeSpan? remaining)
    {
        var reply = new JsonObject { ["id"] = id, ["event"] = "progress", ["fraction"] = fraction, ["phase"] = phase };
        if (remaining is { } left)
            reply["remaining"] = left.TotalSeconds;
        Write(reply);
    }

    static JsonObject Of(Diagnostic diagnostic)
    {
        var json = new JsonObject
        {
            ["code"] = diagnostic.Code,
            ["message"] = diagnostic.Message,
            ["severity"] = diagnostic.Severity switch { Severity.Error => "error", Severity.Warning => "warning", _ => "info" },
        };
        if (diagnostic.Location is { } location)
        {
            json["file"] = location.File;
            json["line"] = location.Line;
            json["column"] = location.Column;
        }
        return json;
    }

    void Write(JsonObject reply)
    {
        var bytes = JsonSerializer.SerializeToUtf8Bytes(reply);
        lock (writing)
        {
            try
            {
                output.Write(bytes);
                output.Write(LineEnd);
                output.Flush();
            }
            catch (IOException)
            {
                // The caller is gone; the end of stdin will say so.
            }
        }
    }
}
