using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

// Recipe, one item a line:  <step> <needs, comma-separated, or -> <words>
//   words: sleep:<ms>  fail  crash  hang  noise  text:<word>  (text is what the step yields; default its name)
// The last step's text is the output model.txt.

var output = Console.Out;
JsonNode? planned = null;
using var requests = new BlockingCollection<JsonNode>();
new Thread(() =>
{
    foreach (var request in requests.GetConsumingEnumerable())
        Do(request);
})
{ IsBackground = true }.Start();
while (Console.In.ReadLine() is { } line && JsonNode.Parse(line) is { } request && (string)request["method"]! != "shutdown")
    requests.Add(request);
return 0; // whatever still runs ends with the process

void Do(JsonNode request)
{
    var id = (long)request["id"]!;
    var parameters = request["params"]!;
    switch ((string)request["method"]!)
    {
        case "plan":
            planned = Plan(id, parameters);
            if (planned is not null)
                Send(new JsonObject { ["id"] = id, ["result"] = planned.DeepClone() });
            break;
        case "run":
            planned ??= Plan(id, parameters);
            Run(id, planned!["items"]!.AsArray().Single(i => (string)i!["id"]! == (string)parameters["item"]!)!);
            break;
    }
}

JsonObject? Plan(long id, JsonNode parameters)
{
    var work = (string)parameters["workPath"]!;
    var items = new JsonArray();
    var inputs = new JsonArray();
    foreach (var recipe in parameters["recipes"]!.AsArray().Select(r => (string)r!))
    {
        var file = new FileInfo(recipe);
        inputs.Add(new JsonObject
        {
            ["path"] = recipe,
            ["size"] = file.Length,
            ["modified"] = file.LastWriteTimeUtc.Ticks,
            ["sha256"] = Hash(File.ReadAllBytes(recipe)),
        });
        var name = Path.GetFileName(recipe).Split('.')[0];
        string? last = null;
        var number = 0;
        foreach (var text in File.ReadLines(recipe))
        {
            number++;
            if (text.Length == 0 || text.StartsWith('#'))
                continue;
            var words = text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (words.Length < 2)
            {
                Send(new JsonObject
                {
                    ["id"] = id,
                    ["error"] = new JsonObject
                    {
                        ["diagnostics"] = new JsonArray(new JsonObject
                        {
                            ["code"] = "BML1001",
                            ["message"] = $"'{text}' is no step.",
                            ["severity"] = "error",
                            ["file"] = recipe,
                            ["line"] = number,
                            ["column"] = 1,
                        }),
                    },
                });
                return null;
            }
            var needs = words[1] == "-" ? [] : words[1].Split(',').Select(n => name + "/" + n).ToArray();
            items.Add(Item(work, name, words[0], "step", needs, string.Join(' ', words.Skip(2)), $"{words[0]}.txt"));
            last = name + "/" + words[0];
        }
        items.Add(Item(work, name, "out", "output", [last!], "text:out", "model.txt"));
    }
    foreach (var item in items)
    {
        var key = (string)item!["keyFile"]!;
        Directory.CreateDirectory(Path.GetDirectoryName(key)!);
        if (!File.Exists(key) || File.ReadAllText(key) != (string)item["key"]!)
            File.WriteAllText(key, (string)item["key"]!);
    }
    return new JsonObject { ["inputs"] = inputs, ["items"] = items };
}

static JsonObject Item(string work, string recipe, string name, string kind, string[] needs, string definition, string file)
{
    var directory = Path.Combine(work, recipe, name);
    return new JsonObject
    {
        ["id"] = recipe + "/" + name,
        ["recipe"] = recipe,
        ["name"] = name,
        ["kind"] = kind,
        ["technique"] = "test.write",
        ["needs"] = new JsonArray([.. needs.Select(n => (JsonNode)n)]),
        ["key"] = Hash(Encoding.UTF8.GetBytes(definition)),
        ["directory"] = directory,
        ["keyFile"] = directory + ".key",
        ["contentFile"] = directory + ".content",
        ["stampFile"] = directory + ".stamp",
        ["files"] = new JsonArray(Path.Combine(directory, file)),
        ["definition"] = definition,
    };
}

void Run(long id, JsonNode item)
{
    var words = ((string)item["definition"]!).Split(' ', StringSplitOptions.RemoveEmptyEntries);
    foreach (var word in words)
        switch (word.Split(':')[0])
        {
            case "sleep": new ManualResetEventSlim().Wait(int.Parse(word.Split(':')[1])); break;
            case "hang": new ManualResetEventSlim().Wait(); break;
            case "noise":
                Console.Error.WriteLine("model.cc: Error: not a build error");
                output.WriteLine("model.cc(1,1): error XX1: not a build error either");
                break;
            case "crash": Console.Error.WriteLine("about to crash"); Environment.FailFast("as the recipe asks"); break;
            case "fail":
                Send(new JsonObject { ["id"] = id, ["event"] = "diagnostic", ["severity"] = "warning", ["code"] = "BML5998", ["message"] = "looks bad" });
                Send(new JsonObject
                {
                    ["id"] = id,
                    ["error"] = new JsonObject
                    {
                        ["diagnostics"] = new JsonArray(new JsonObject { ["code"] = "BML5999", ["message"] = "as the recipe asks", ["severity"] = "error" }),
                    },
                });
                return;
        }
    Send(new JsonObject { ["id"] = id, ["event"] = "progress", ["fraction"] = 0.5, ["phase"] = "writing", ["remaining"] = 1.5 });
    var text = words.FirstOrDefault(w => w.StartsWith("text:", StringComparison.Ordinal))?[5..] ?? (string)item["name"]!;
    foreach (var file in item["files"]!.AsArray().Select(f => (string)f!))
    {
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, text);
    }
    var content = (string)item["contentFile"]!;
    if (!File.Exists(content) || File.ReadAllText(content) != text)
        File.WriteAllText(content, text);
    File.WriteAllText((string)item["stampFile"]!, "done");
    Send(new JsonObject { ["id"] = id, ["result"] = new JsonObject { ["status"] = "ran", ["seconds"] = 0.1 } });
}

void Send(JsonNode message)
{
    output.WriteLine(message.ToJsonString(JsonSerializerOptions.Default));
    output.Flush();
}

static string Hash(byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));
