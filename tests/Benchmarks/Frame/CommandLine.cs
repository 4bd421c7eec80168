using System.Globalization;
using System.Text.Json;
using Build.ML.Graph.Catalogs;

namespace Build.ML.Benchmarks.Frame;

/// <summary>The command line: <c>NAME [--json] [--option value]…</c>, <c>list</c>, and <c>--child</c> for processes a benchmark starts.</summary>
internal static class CommandLine
{
    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    /// <summary>Runs it; returns 0, 1 where a benchmark falls short, 2 where it cannot run.</summary>
    public static int Run(string[] arguments)
    {
        var catalog = Catalog<IBenchmark>.Scan(typeof(CommandLine).Assembly);
        if (arguments is ["--child", var childName, ..])
        {
            var child = catalog.Find(childName)!.Create();
            ChildProcess.Report(() => child.RunChild(arguments[2..]));
            return 0;
        }

        if (arguments is [] or ["list"] or ["--help"])
        {
            foreach (var entry in catalog)
            {
                Console.WriteLine($"{entry.Name,-16} {entry.Create().Summary}");
            }

            return arguments is [] ? 2 : 0;
        }

        if (catalog.Find(arguments[0]) is not { } found)
        {
            Console.Error.WriteLine($"There is no benchmark '{arguments[0]}'; 'list' names them all.");
            return 2;
        }

        if (!TryParse(arguments.AsSpan(1), out var options, out var isJson))
        {
            Console.Error.WriteLine("Expected: NAME [--json] [--option value]...");
            return 2;
        }

        using var context = new BenchmarkContext(found.Name, options, (isJson ? Console.Error : Console.Out).WriteLine);
        try
        {
            var outcome = found.Create().Run(context);
            Print(found.Name, outcome, isJson);
            return outcome.Passes ? 0 : 1;
        }
        catch (MissingDataException e)
        {
            Console.Error.WriteLine(e.Message);
            return 2;
        }
    }

    private static bool TryParse(ReadOnlySpan<string> arguments, out Dictionary<string, string> options, out bool isJson)
    {
        options = new(StringComparer.Ordinal);
        isJson = false;
        for (var i = 0; i < arguments.Length; i++)
        {
            if (arguments[i] == "--json")
            {
                isJson = true;
            }
            else if (arguments[i].StartsWith("--", StringComparison.Ordinal) && i + 1 < arguments.Length)
            {
                options[arguments[i][2..]] = arguments[++i];
            }
            else
            {
                return false;
            }
        }

        return true;
    }

    private static void Print(string name, Outcome outcome, bool isJson)
    {
        if (isJson)
        {
            Console.WriteLine(JsonSerializer.Serialize(new { name, passes = outcome.Passes, outcome.Value, outcome.Limit, outcome.Unit, outcome.Conditions, outcome.Details }, Json));
            return;
        }

        foreach (var (side, median, smallest, largest, unit) in outcome.Details)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {side,-28} median {median:0.###} {unit} ({smallest:0.###} to {largest:0.###})"));
        }

        foreach (var (condition, value, limit, unit) in outcome.Conditions)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {condition,-28} {value:0.###} {unit} (limit {limit:0.###} {unit})"));
        }

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name}: {outcome.Value:0.###} {outcome.Unit} (limit {outcome.Limit:0.###} {outcome.Unit})"));
    }
}
