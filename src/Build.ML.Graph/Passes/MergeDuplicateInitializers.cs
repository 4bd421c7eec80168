using System.Security.Cryptography;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Passes;

/// <summary>
/// Lets initializers of one graph with equal type, sizes and bytes be one. Only tensors that agree in type and sizes are read, to compare their SHA-256.
/// </summary>
[GraphPass("merge-duplicate-initializers", Order = 410)]
public sealed class MergeDuplicateInitializers : IGraphPass
{
    /// <inheritdoc/>
    public int Run(Model model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return model.Graphs().Sum(Merge);
    }

    private static int Merge(OnnxGraph graph)
    {
        var merged = 0;
        var candidates = graph.Initializers
            .Where(v => v is { IsGraphInput: false, IsGraphOutput: false, Initializer.Type: not DataType.String })
            .GroupBy(v => (v.Initializer!.Type, string.Join(',', v.Initializer.Sizes)))
            .Where(g => g.Skip(1).Any())
            .Select(g => g.ToArray())
            .ToArray();
        foreach (var group in candidates)
        {
            var kept = new Dictionary<string, Value>(StringComparer.Ordinal);
            foreach (var value in group)
            {
                var hash = Hash(value.Initializer!);
                if (!kept.TryGetValue(hash, out var first))
                {
                    kept.Add(hash, value);
                    continue;
                }

                value.ReplaceUsesWith(first);
                graph.SetInitializer(value, null);
                merged++;
            }
        }

        return merged;
    }

    private static string Hash(Tensor tensor)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        using var view = tensor.Content.Open();
        for (long offset = 0; offset < tensor.ByteLength;)
        {
            var piece = view.Slice(offset, (int)Math.Min(1 << 20, tensor.ByteLength - offset));
            hash.AppendData(piece);
            offset += piece.Length;
        }

        return Convert.ToHexString(hash.GetHashAndReset());
    }
}
