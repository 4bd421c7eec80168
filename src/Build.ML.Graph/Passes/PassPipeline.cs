using System.Collections.Immutable;
using System.Reflection;
using Build.ML.Graph.Catalogs;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Graph.Passes;

/// <summary>Passes in an order, run until none finds anything more to do.</summary>
public sealed class PassPipeline
{
    private readonly ImmutableArray<(string Name, IGraphPass Pass)> _passes;

    /// <summary>Passes in the order given.</summary>
    /// <param name="passes">Name for reports, and the pass.</param>
    public PassPipeline(params IEnumerable<(string Name, IGraphPass Pass)> passes) => _passes = [.. passes];

    /// <summary>All passes of this assembly by name.</summary>
    public static Catalog<IGraphPass> Catalog { get; } = Catalog<IGraphPass>.Scan(typeof(PassPipeline).Assembly);

    /// <summary>Names of the passes that run when none are named, in their order (<see cref="GraphPassAttribute.Order"/>).</summary>
    public static ImmutableArray<string> DefaultNames { get; } =
    [
        .. Catalog.Select(e => (e.Name, Order: OrderOf(e.Type))).Where(e => e.Order > 0).OrderBy(e => e.Order).ThenBy(e => e.Name, StringComparer.Ordinal)
            .Select(e => e.Name),
    ];

    /// <summary>Passes by name.</summary>
    /// <param name="names">In the order to run; default <see cref="DefaultNames"/>.</param>
    /// <exception cref="DiagnosticException">BML2121 for each unknown name.</exception>
    public static PassPipeline Of(IReadOnlyCollection<string>? names = null)
    {
        names ??= DefaultNames;
        var unknown = names.Where(n => Catalog.Find(n) is null)
            .Select(n => new Diagnostic("BML2121", $"There is no pass '{n}'. Known: {string.Join(", ", Catalog.Names)}.")).ToArray();
        return unknown.Length == 0 ? new PassPipeline(names.Select(n => (n, Catalog.Find(n)!.Create()))) : throw new DiagnosticException(unknown);
    }

    /// <summary>Runs all passes in order, again and again until a round changes nothing.</summary>
    /// <param name="model">Changed in place.</param>
    /// <param name="rounds">At most that many rounds; default 10. More than three are rarely needed.</param>
    /// <param name="cancellation">Stops between passes.</param>
    /// <returns>Changes made by each pass over all rounds, in order.</returns>
    public ImmutableArray<KeyValuePair<string, int>> Run(Model model, int rounds = 10, CancellationToken cancellation = default)
    {
        var changes = new int[_passes.Length];
        for (var round = 0; round < rounds; round++)
        {
            var before = changes.Sum();
            for (var i = 0; i < changes.Length; i++)
            {
                cancellation.ThrowIfCancellationRequested();
                changes[i] += _passes[i].Pass.Run(model);
            }

            if (changes.Sum() == before)
            {
                break;
            }
        }

        return [.. _passes.Select((p, i) => new KeyValuePair<string, int>(p.Name, changes[i]))];
    }

    private static int OrderOf(Type type) => type.GetCustomAttribute<GraphPassAttribute>()!.Order;
}
