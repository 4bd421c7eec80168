using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Build.ML.Abstractions;
using Build.ML.Engine;
using Build.ML.Graph.Diagnostics;
using Build.ML.Worker.Protocol;

namespace Build.ML.Worker;

/// <summary>One project in one build: its engine and its plan.</summary>
/// <param name="settings">What the project told.</param>
public sealed class Session(SessionSettings settings) : IDisposable
{
    readonly BuildEngine engine = new(settings.Engine);
    readonly Lock planning = new();
    Plan? plan;

    /// <summary>Plans, writes the key files, and describes the items and every file that the plan was made from.</summary>
    public JsonObject Plan(Request request, ReplyWriter replies, CancellationToken cancellation)
    {
        lock (planning)
        {
            plan = engine.Plan(settings.Recipes, cancellation);
            engine.WriteKeys(plan);
            replies.Message(request.Id, string.Create(CultureInfo.InvariantCulture, $"Build.ML: planned {plan.Items.Count} steps"), important: false);
            return new JsonObject
            {
                ["items"] = new JsonArray([.. plan.Items.Select(Describe)]),
                ["inputs"] = new JsonArray([.. plan.Inputs.Concat(OwnFiles()).DistinctBy(i => i.Path).Select(Describe)]),
            };
        }
    }

    /// <summary>Does one item, which the caller has seen in a plan.</summary>
    public JsonObject Run(Request request, ReplyWriter replies, CancellationToken cancellation)
    {
        Plan current;
        lock (planning)
            current = plan ??= engine.Plan(settings.Recipes, cancellation);

        var id = request.Text("item");
        var item = current.Items.FirstOrDefault(i => i.Id == id);
        if (item is null || item.Key != request.Text("key"))
            throw new DiagnosticException("BML7005",
                $"The recipe, or a file that it names, was changed while the build ran: '{id}' is not what was planned. Build again.");

        var outcome = engine.Run(current, id, new ReplyObserver(request.Id, replies), cancellation);
        if (outcome.Status == ItemStatus.Cancelled)
            throw new OperationCanceledException(cancellation);
        if (!outcome.Succeeded)
            throw new DiagnosticException([.. outcome.Diagnostics.Where(d => d.Severity == Severity.Error)]);
        return new JsonObject { ["status"] = SnakeCase.Of(outcome.Status.ToString()), ["seconds"] = outcome.Duration.TotalSeconds };
    }

    /// <inheritdoc/>
    public void Dispose() => engine.Dispose();

    // A worker of another build plans otherwise, perhaps.
    static IEnumerable<PlanInput> OwnFiles()
    {
        foreach (var path in Directory.EnumerateFiles(AppContext.BaseDirectory, "*.dll").Order(StringComparer.Ordinal))
        {
            var file = new FileInfo(path);
            using var content = file.OpenRead();
            yield return new PlanInput(path, file.Length, file.LastWriteTimeUtc.Ticks, Convert.ToHexStringLower(SHA256.HashData(content)));
        }
    }

    static JsonNode Describe(PlanInput input) => new JsonObject
    {
        ["path"] = input.Path,
        ["size"] = input.Size,
        ["modified"] = input.ModifiedTicks,
        ["sha256"] = input.Sha256,
    };

    static JsonNode Describe(WorkItem item) => new JsonObject
    {
        ["id"] = item.Id,
        ["recipe"] = item.Recipe,
        ["name"] = item.Name,
        ["kind"] = SnakeCase.Of(item.Kind.ToString()),
        ["technique"] = item.Technique,
        ["needs"] = Array(item.Needs),
        ["key"] = item.Key,
        ["directory"] = item.Directory,
        ["keyFile"] = item.KeyFile,
        ["contentFile"] = item.ContentFile,
        ["stampFile"] = item.StampFile,
        ["files"] = Array(item.Files),
    };

    static JsonArray Array(IEnumerable<string> values) => new([.. values.Select(v => (JsonNode)v)]);
}
