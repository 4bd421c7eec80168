using Build.ML.Caching.Files;
using Build.ML.Caching.Fingerprints;

namespace Build.ML.Engine.Running;

/// <summary>Answers why items would run.</summary>
internal sealed class Explainer(Plan plan, FileHashCache hashes)
{
    private readonly Dictionary<string, Explanation> _known = new(StringComparer.Ordinal);

    public Explanation Explain(WorkItem item)
    {
        if (!_known.TryGetValue(item.Id, out var explanation))
        {
            _known[item.Id] = explanation = Compare(item);
        }

        return explanation;
    }

    private Explanation Compare(WorkItem item)
    {
        var waits = item.Needs.Where(n => Explain(plan[n]).WouldRun).Select(n => $"{n}, which it needs, would run").ToList();
        if (ItemRecord.Read(item.Directory) is not { } present || ItemRecord.TryFingerprintIn(item.Directory) is not { } before)
        {
            return new(item.Id, true, [$"there is no result in {item.Directory}", .. waits]);
        }

        // What items that would run will yield is not known yet: the rest is compared.
        var now = waits.Count == 0 ? ItemRunner.FingerprintOf(plan, item) : null;
        var changes = FingerprintDiff.Between(before, now ?? Assumed(item, before)).Select(c => c.ToString()).ToList();
        if (changes.Count > 0 || waits.Count > 0)
        {
            return new(item.Id, true, [.. changes, .. waits]);
        }

        return present.IsIntact(item.Directory, hashes, CancellationToken.None)
            ? new(item.Id, false, ["nothing has changed since the last run"])
            : new(item.Id, true, [$"a file in {item.Directory} is missing or was altered"]);
    }

    private static Fingerprint Assumed(WorkItem item, Fingerprint before)
    {
        var inputs = item.Work.Inputs(_ => "").Select(e => e.Description).ToHashSet(StringComparer.Ordinal);
        return new FingerprintBuilder().Add(item.Definition.Entries).Add(before.Entries.Where(e => inputs.Contains(e.Description))).Build();
    }
}
