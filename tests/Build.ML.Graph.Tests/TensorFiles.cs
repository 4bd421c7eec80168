using System.Collections.Immutable;
using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Tests;

/// <summary>The inputs and expected outputs beside ONNX's conformance models: files with one serialized TensorProto each.</summary>
static class TensorFiles
{
    /// <summary>The tensor of a file, or null where it holds something else (a sequence, an optional).</summary>
    public static Tensor? TryRead(string path)
    {
        // A model with one graph with one initializer with these bytes, to which the name "t" is added.
        // The last name in a message wins; TensorProto.name is field 8, GraphProto.initializer 5, ModelProto.ir_version 1 and graph 7.
        byte[] tensor = [.. File.ReadAllBytes(path), (8 << 3) | 2, 1, (byte)'t'];
        byte[] graph = [.. Field(5, tensor)];
        byte[] model = [1 << 3, 8, .. Field(7, graph)];
        try
        {
            return Model.Load(model).Graph.Find("t")?.Initializer;
        }
        catch (Diagnostics.DiagnosticException)
        {
            return null;
        }
    }

    /// <summary>Feeds of a case's data set by the model's inputs, or null where one is no tensor or missing.</summary>
    public static ImmutableArray<KeyValuePair<string, Tensor>>? Feeds(Model model, string folder)
    {
        var feeds = ImmutableArray.CreateBuilder<KeyValuePair<string, Tensor>>();
        var index = 0;
        foreach (var input in model.Graph.Inputs.Where(i => i.Initializer is null))
        {
            var path = Path.Combine(folder, $"input_{index++}.pb");
            if (input.Type is not TensorType || !File.Exists(path) || TryRead(path) is not { } tensor)
            {
                return null;
            }

            feeds.Add(new(input.Name, tensor));
        }

        return feeds.ToImmutable();
    }

    private static byte[] Field(int number, byte[] content)
    {
        var bytes = new List<byte> { (byte)((number << 3) | 2) };
        for (var length = (uint)content.Length; ; length >>= 7)
        {
            bytes.Add((byte)(length < 128 ? length : (length & 127) | 128));
            if (length < 128)
            {
                break;
            }
        }

        bytes.AddRange(content);
        return [.. bytes];
    }
}
