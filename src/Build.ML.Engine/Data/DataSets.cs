using System.Globalization;
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
        var order = source.Split is { } split ? SampleOrder.Of(all.Count, split) : null;
        var taken = order?.Length ?? all.Count;
        if (source.ShuffleSeed is { } seed)
        {
            var shuffled = SampleOrder.Shuffled(taken, seed);
            order = order is null ? shuffled : [.. shuffled.Select(i => order[i])];
        }

        var count = Math.Min(taken - source.Skip, source.Limit ?? int.MaxValue);
        if (count <= 0)
        {
            var part = source.Split is { } chosen ? string.Create(CultureInfo.InvariantCulture, $"{taken} of them are the part {chosen.Part}, ") : "";
            throw new DiagnosticException("BML5008",
                $"Data set '{name}' has no sample: {all.Count} were read, {part}skip is {source.Skip}, limit {source.Limit?.ToString(CultureInfo.InvariantCulture) ?? "none"}. "
                + "At least one is needed.", source.Location);
        }

        return order is not null ? new Selection(all, order.AsMemory(source.Skip, count))
            : source.Skip == 0 && count == all.Count ? all : new Slice(all, source.Skip, count);
    }

    private sealed class Selection(DataSet all, ReadOnlyMemory<int> indices) : DataSet
    {
        public override int Count => indices.Length;

        public override Sample this[int index]
        {
            get
            {
                ArgumentOutOfRangeException.ThrowIfNegative(index);
                ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, indices.Length);
                return all[indices.Span[index]];
            }
        }
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
