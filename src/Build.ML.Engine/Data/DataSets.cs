using Build.ML.Abstractions.Data;
using Build.ML.Engine.Work;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Engine.Data;

/// <summary>Opens the data sets of a recipe, each once.</summary>
internal sealed class DataSets(ItemContext context)
{
    private readonly Dictionary<string, DataSet> _open = new(StringComparer.Ordinal);

    /// <summary>Opens the data set under <c>data:</c> of that name, with its <c>skip</c> and <c>limit</c>.</summary>
    /// <exception cref="DiagnosticException">A file is missing or malformed; BML5008: no sample is left.</exception>
    public DataSet Open(string name)
    {
        lock (_open)
        {
            return _open.TryGetValue(name, out var data) ? data : _open[name] = Read(name);
        }
    }

    private DataSet Read(string name)
    {
        var source = context.Recipe.DataNamed(name);
        var options = context.Files.Localize(source.Options, source.Location, context.Cancellation);
        var all = context.Services.Catalogs.Readers.Find(source.Reader)!.Create().Read(options);
        var count = Math.Min(all.Count - source.Skip, source.Limit ?? int.MaxValue);
        return count > 0
            ? source.Skip == 0 && count == all.Count ? all : new Slice(all, source.Skip, count)
            : throw new DiagnosticException("BML5008",
                $"Data set '{name}' has no sample: {all.Count} were read, skip is {source.Skip}, limit {source.Limit?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "none"}. "
                + "At least one is needed.", source.Location);
    }

    private sealed class Slice(DataSet all, int skip, int count) : DataSet
    {
        public override int Count => count;

        public override Sample this[int index]
        {
            get
            {
                ArgumentOutOfRangeException.ThrowIfNegative(index);
                ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, count);
                return all[skip + index];
            }
        }
    }
}
