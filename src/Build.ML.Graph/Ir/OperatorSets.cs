using System.Collections;

namespace Build.ML.Graph.Ir;

/// <summary>The operator set versions a model or function imports, in file order: domain to version.</summary>
public sealed class OperatorSets : IEnumerable<KeyValuePair<string, long>>
{
    private readonly List<KeyValuePair<string, long>> _imports = [];
    private readonly Dictionary<string, Onnx.MessageOrigin> _origins = new(StringComparer.Ordinal);

    /// <summary>Version of a domain, 0 when it is not imported; the empty domain is ONNX's own.</summary>
    public long this[string domain]
    {
        get
        {
            var index = IndexOf(domain);
            return index < 0 ? 0 : _imports[index].Value;
        }

        set
        {
            var index = IndexOf(domain);
            if (index < 0)
            {
                _imports.Add(new(domain, value));
            }
            else
            {
                _imports[index] = new(_imports[index].Key, value);
            }
        }
    }

    /// <summary>Appends an import (used by collection initializers).</summary>
    public void Add(string domain, long version) => _imports.Add(new(domain, version));

    /// <summary>Appends an import as read from a file.</summary>
    internal void AddRead(string domain, long version, Onnx.MessageOrigin origin)
    {
        _imports.Add(new(domain, version));
        _origins[domain] = origin;
    }

    /// <summary>Takes over all imports of another list.</summary>
    internal void CopyFrom(OperatorSets other)
    {
        _imports.AddRange(other._imports);
        foreach (var (domain, origin) in other._origins)
        {
            _origins[domain] = origin;
        }
    }

    /// <summary>How the file encoded the import of a domain, or null.</summary>
    internal Onnx.MessageOrigin? OriginOf(string domain) => _origins.GetValueOrDefault(domain);

    /// <summary>Removes the import of a domain, if any.</summary>
    public void Remove(string domain)
    {
        var index = IndexOf(domain);
        if (index >= 0)
        {
            _imports.RemoveAt(index);
        }
    }

    /// <inheritdoc/>
    public IEnumerator<KeyValuePair<string, long>> GetEnumerator() => _imports.GetEnumerator();

    /// <inheritdoc/>
    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private int IndexOf(string domain) =>
        _imports.FindIndex(i => i.Key == domain || (domain.Length == 0 && i.Key == "ai.onnx"));
}
