using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Techniques;
using Build.ML.Calibration.Statistics;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;

namespace Build.ML.Calibration;

/// <summary>
/// Collects statistics of activations: one run of the model over the data, piece by piece, for all values that the cache does not have. What is collected is kept in
/// <see cref="StepContext.Cache"/> value by value, under the model's content, the data's and the statistic's name, so that steps and builds that need the same compute it once.
/// </summary>
/// <param name="context">Data, inference, cache, threads, progress.</param>
public sealed class CalibrationStage(StepContext context)
{
    private const string Value = "value";

    /// <summary>Collects a statistic of activations.</summary>
    /// <param name="model">The model; not changed.</param>
    /// <param name="values">Names of float values of its main graph: inputs, or outputs of nodes.</param>
    /// <param name="data">The data.</param>
    /// <param name="statistic">What to collect.</param>
    /// <param name="batchSize">Samples run together, where the model leaves that free. Default 8.</param>
    /// <returns>What was collected, by name.</returns>
    /// <exception cref="DiagnosticException">BML5407: no data. BML5430: the data does not fit. BML5405: an activation is NaN or infinite.</exception>
    public IReadOnlyDictionary<string, T> Observe<T>(
        Model model, IReadOnlyList<string> values, DataReference data, ActivationStatistic<T> statistic, int batchSize = Batching.Default)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(values);
        ArgumentNullException.ThrowIfNull(statistic);
        var found = new Dictionary<string, T>(StringComparer.Ordinal);
        var keys = Keys(model, values, data, statistic.Name, batchSize);
        Open(keys, statistic, found);
        if (values.All(found.ContainsKey))
        {
            return found;
        }

        // Another step may be collecting the same at this moment: it is waited for, then what it has kept is read.
        using var held = keys.Count == 0 ? null : context.Cache.Hold(new DerivedKey("activation statistics", keys.First().Value.Entries.Remove(Value)));
        Open(keys, statistic, found);
        var missing = values.Distinct(StringComparer.Ordinal).Where(v => !found.ContainsKey(v)).ToArray();
        foreach (var (name, seen) in missing.Length == 0 ? [] : Collect(model, missing, data, statistic, batchSize))
        {
            found.Add(name, seen);
            if (keys.TryGetValue(name, out var key))
            {
                context.Cache.Add(key, stream => statistic.Write(seen, stream));
            }
        }

        return found;
    }

    private void Open<T>(Dictionary<string, DerivedKey> keys, ActivationStatistic<T> statistic, Dictionary<string, T> found)
        where T : class
    {
        foreach (var (name, key) in keys.Where(k => !found.ContainsKey(k.Key)))
        {
            using var stream = context.Cache.TryOpen(key);
            if (stream is not null)
            {
                found.Add(name, statistic.Read(stream));
            }
        }
    }

    // None where nothing is kept, which saves hashing the model.
    private Dictionary<string, DerivedKey> Keys(Model model, IReadOnlyList<string> values, DataReference data, string statistic, int batchSize)
    {
        if (context.Cache is NoDerivedCache || context.DataFingerprint(data) is not { } dataHash)
        {
            return [];
        }

        var modelHash = model.ContentHash(context.Cancellation);
        var size = Batching.SizeFor(model, batchSize).ToString(System.Globalization.CultureInfo.InvariantCulture);
        return values.Distinct(StringComparer.Ordinal).ToDictionary(v => v, v => new DerivedKey(
            "activation statistic", ("model", modelHash), ("data", dataHash), ("batch size", size), ("statistic", statistic), (Value, v)));
    }

    private Dictionary<string, T> Collect<T>(Model model, string[] names, DataReference data, ActivationStatistic<T> statistic, int batchSize)
        where T : class
    {
        var values = names.Select(n => model.Graph.Find(n) ?? throw new ArgumentException($"The model has no value '{n}'.", nameof(names))).ToArray();
        var seen = values.ToDictionary(v => v, _ => new Collected<T>(statistic.Create()));
        using var run = new StreamedExecution(model, context.Data(data), context, batchSize);
        var gate = new Lock();
        double done = 0, all = (double)values.Length * run.BatchCount;
        run.AdvanceTo(After(model, values), values, (value, tensor) =>
        {
            var collected = seen[value];
            collected.IsFinite = collected.IsFinite && statistic.Add(collected.Seen, tensor);
            lock (gate)
            {
                context.Progress.Report(new(++done / all, "calibrating"));
            }
        });

        // Later ones are mostly consequences of the first.
        return values.FirstOrDefault(v => !seen[v].IsFinite) is not { } bad ? seen.ToDictionary(s => s.Key.Name, s => s.Value.Seen)
            : throw new DiagnosticException(
                "BML5405", $"On the calibration data the activation '{bad.Name}' is NaN or infinite, so it has no range. Check the data, or exclude the layers that read it.");
    }

    // The node after the last that gives one of the values; the first where none is given by a node.
    private static Node? After(Model model, Value[] values)
    {
        var producers = values.Select(v => v.Producer).OfType<Node>().ToHashSet();
        Node? after = model.Graph.FirstNode;
        foreach (var node in model.Graph.Nodes)
        {
            after = producers.Contains(node) ? node.Next : after;
        }

        return after;
    }

    private sealed class Collected<T>(T seen)
    {
        public T Seen { get; } = seen;

        public bool IsFinite { get; set; } = true;
    }
}
