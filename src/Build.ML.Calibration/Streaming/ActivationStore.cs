using System.Diagnostics.CodeAnalysis;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Calibration.Streaming;

/// <summary>
/// Holds the activations that are still needed, one tensor a batch: in memory up to a budget, beyond it in files, one a value. Not for several threads at once, but
/// tensors got from it may be read by any.
/// </summary>
/// <param name="folder">An existing folder for the files.</param>
/// <param name="budget">Bytes that may be held in memory.</param>
internal sealed class ActivationStore(string folder, long budget) : IDisposable
{
    private readonly Dictionary<Value, Entry> _entries = [];

    /// <summary>Bytes held in memory.</summary>
    public long InMemory { get; private set; }

    /// <summary>Bytes written to files so far.</summary>
    public long Spilled { get; private set; }

    /// <summary>Whether a value is held.</summary>
    public bool Has(Value value) => _entries.ContainsKey(value);

    /// <summary>The values held.</summary>
    public IReadOnlyCollection<Value> Values => _entries.Keys;

    /// <summary>The tensors of a value by batch; null for batches that were released.</summary>
    public bool TryGet(Value value, [NotNullWhen(true)] out IReadOnlyList<Tensor?>? batches)
    {
        batches = _entries.GetValueOrDefault(value)?.Batches;
        return batches is not null;
    }

    /// <summary>Holds the tensor of the value's next batch.</summary>
    public void Append(Value value, Tensor tensor)
    {
        if (!_entries.TryGetValue(value, out var entry))
        {
            _entries.Add(value, entry = new Entry());
        }

        if (tensor.Type != DataType.String && tensor.ByteLength > 0 && InMemory + tensor.ByteLength > budget)
        {
            entry.File ??= new ScratchFile(folder);
            entry.Batches.Add(entry.File.Append(tensor));
            entry.IsSpilled.Add(true);
            Spilled += tensor.ByteLength;
            return;
        }

        entry.Batches.Add(tensor);
        entry.IsSpilled.Add(false);
        InMemory += tensor.ByteLength;
    }

    /// <summary>Lets go of a value's tensor of one batch, and of the value with its last batch.</summary>
    public void Release(Value value, int batch)
    {
        var entry = _entries[value];
        if (entry.Batches[batch] is { } tensor && !entry.IsSpilled[batch])
        {
            InMemory -= tensor.ByteLength;
        }

        entry.Batches[batch] = null;
        if (batch == entry.Batches.Count - 1)
        {
            Release(value);
        }
    }

    /// <summary>Lets go of a value.</summary>
    public void Release(Value value)
    {
        if (_entries.Remove(value, out var entry))
        {
            for (var i = 0; i < entry.Batches.Count; i++)
            {
                InMemory -= entry.IsSpilled[i] ? 0 : entry.Batches[i]?.ByteLength ?? 0;
            }

            entry.File?.Close();
        }
    }

    /// <summary>Lets go of everything.</summary>
    public void Dispose()
    {
        foreach (var value in _entries.Keys.ToArray())
        {
            Release(value);
        }
    }

    private sealed class Entry
    {
        public List<Tensor?> Batches { get; } = [];

        public List<bool> IsSpilled { get; } = [];

        public ScratchFile? File { get; set; }
    }
}
