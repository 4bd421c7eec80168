using System.Collections.Immutable;
using Build.ML.Abstractions.Inference;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Tensors;

namespace Build.ML.OnnxRuntime;

/// <summary>Matches feeds with a session's inputs.</summary>
internal static class Feeds
{
    /// <summary>The tensors in the order of <paramref name="inputs"/>; the empty name stands for the first input.</summary>
    /// <exception cref="DiagnosticException">BML5105: every input that is missing, fed twice or unknown, or whose type, rank or sizes do not fit.</exception>
    public static Tensor[] Order(
        string model, ImmutableArray<KeyValuePair<string, OnnxType>> inputs, ImmutableArray<KeyValuePair<string, Tensor>> feeds)
    {
        var ordered = new Tensor?[inputs.Length];
        List<Diagnostic>? errors = null;
        foreach (var (name, tensor) in feeds)
        {
            var index = name.Length == 0 && inputs.Length > 0 ? 0 : IndexOf(inputs, name);
            if (index < 0)
            {
                Add(ref errors, model, $"there is no input '{name}'. Its inputs are {Describe(inputs)}.");
            }
            else if (ordered[index] is not null)
            {
                Add(ref errors, model, $"input '{inputs[index].Key}' is fed twice.");
            }
            else
            {
                ordered[index] = tensor;
                if (!Fits(inputs[index].Value, tensor.Type, tensor.Sizes))
                {
                    Add(ref errors, model, $"input '{inputs[index].Key}' takes {inputs[index].Value}, the data has {tensor}. "
                        + "Change the data reader's options (layout, size, channels, type) to match.");
                }
            }
        }

        for (var i = 0; i < ordered.Length; i++)
        {
            if (ordered[i] is null)
            {
                Add(ref errors, model, $"input '{inputs[i].Key}' ({inputs[i].Value}) is not fed. Name it in the data reader's options.");
            }
        }

        return errors is null ? ordered.OfType<Tensor>().ToArray() : throw new DiagnosticException(errors);
    }

    /// <summary>Checks that there is one buffer for every input and output and none besides.</summary>
    /// <exception cref="DiagnosticException">BML5105: every buffer that is missing or unknown, or whose type, rank or sizes do not fit.</exception>
    public static void CheckBuffers(
        string model,
        ImmutableArray<KeyValuePair<string, OnnxType>> inputs,
        ImmutableArray<KeyValuePair<string, OnnxType>> outputs,
        IReadOnlyDictionary<string, TensorBuffer> buffers)
    {
        List<Diagnostic>? errors = null;
        var known = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (role, values) in new[] { ("input", inputs), ("output", outputs) })
        {
            foreach (var (name, type) in values)
            {
                known.Add(name);
                if (!buffers.TryGetValue(name, out var buffer))
                {
                    Add(ref errors, model, $"no buffer is bound to {role} '{name}' ({type}). Bind one of its type and sizes.");
                }
                else if (!Fits(type, buffer.Type, buffer.Sizes))
                {
                    Add(ref errors, model, $"{role} '{name}' is {type}, the buffer bound to it {buffer}. Bind one of its type and sizes.");
                }
            }
        }

        foreach (var name in buffers.Keys.Where(k => !known.Contains(k)))
        {
            Add(ref errors, model, $"a buffer is bound to '{name}', which is neither an input nor an output. Its inputs are {Describe(inputs)}.");
        }

        if (errors is not null)
        {
            throw new DiagnosticException(errors);
        }
    }

    private static void Add(ref List<Diagnostic>? errors, string model, string message) =>
        (errors ??= []).Add(new("BML5105", $"Feeds do not fit {model}: {message}"));

    private static int IndexOf(ImmutableArray<KeyValuePair<string, OnnxType>> inputs, string name)
    {
        for (var i = 0; i < inputs.Length; i++)
        {
            if (inputs[i].Key == name)
            {
                return i;
            }
        }

        return -1;
    }

    private static bool Fits(OnnxType type, DataType elementType, ImmutableArray<long> sizes)
    {
        if (type is not TensorType { ElementType: var element, Shape: var shape } || element != elementType)
        {
            return false;
        }

        if (shape is null)
        {
            return true;
        }

        if (shape.Rank != sizes.Length)
        {
            return false;
        }

        for (var i = 0; i < shape.Rank; i++)
        {
            if (shape.Dimensions[i].Size is { } size && size != sizes[i])
            {
                return false;
            }
        }

        return true;
    }

    private static string Describe(ImmutableArray<KeyValuePair<string, OnnxType>> inputs) =>
        string.Join(", ", inputs.Select(i => $"'{i.Key}' {i.Value}"));
}
