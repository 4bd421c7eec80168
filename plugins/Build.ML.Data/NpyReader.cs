using System.Collections.Immutable;
using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.References;
using Build.ML.Data.Files;
using Build.ML.Graph;
using Build.ML.Graph.Tensors;

namespace Build.ML.Data;

/// <summary>
/// NumPy arrays: a .npy file, or a .npz file whose arrays feed the inputs of their names. The first dimension counts the samples; elements keep their
/// type and value.
/// </summary>
[DataReader("npy")]
public sealed class NpyReader : DataReader<NpyReader.Options>
{
    /// <summary>What to read.</summary>
    public sealed record Options
    {
        /// <summary>A .npy file with one input's samples, or a .npz file (a zip of .npy) with an array for each input, and possibly the labels.</summary>
        public required FileReference Inputs { get; init; }

        /// <summary>
        /// A .npy file of labels: integers [count] are classes, strings [count] texts, anything else targets. Default: none, or the array
        /// <see cref="LabelName"/> of the .npz file.
        /// </summary>
        public FileReference? Labels { get; init; }

        /// <summary>Name of the labels' array in a .npz file. Default <c>labels</c>.</summary>
        public string LabelName { get; init; } = "labels";

        /// <summary>Name of the model's input that a .npy file feeds; default: its first.</summary>
        public string Input { get; init; } = "";

        /// <summary>
        /// Names of inputs that are fed as the file has them for a sample, without a batch dimension in front: a sampling rate, a recurrent state. Samples then run one by one.
        /// Default none.
        /// </summary>
        public ImmutableArray<string> Whole { get; init; } = [];
    }

    /// <inheritdoc/>
    public override DataSet Read(Options options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var path = options.Inputs.Path;
        var labels = options.Labels is { } reference ? Open(reference.Path) : null;
        ImmutableArray<KeyValuePair<string, NpyFile>> inputs;
        if (IsZip(path))
        {
            var arrays = OpenAll(path);
            labels ??= arrays.FirstOrDefault(a => a.Key == options.LabelName).Value;
            inputs = [.. arrays.Where(a => a.Key != options.LabelName)];
        }
        else
        {
            inputs = [new(options.Input, Open(path))];
        }

        if (inputs.Length == 0 || inputs.FirstOrDefault(i => i.Value.Type == DataType.String) is { Value: not null })
        {
            throw DataErrors.DoesNotFit(path, $"It holds {Describe(inputs)}; expected an array of numbers for each input.");
        }

        var count = inputs[0].Value.Sizes[0];
        foreach (var (name, array) in inputs.Append(new(options.LabelName, labels ?? inputs[0].Value)))
        {
            if (array.Sizes[0] != count)
            {
                throw DataErrors.CountsDiffer(path, count, name, array.Sizes[0]);
            }
        }

        if (options.Whole.FirstOrDefault(w => inputs.All(i => i.Key != w)) is { } unknown)
        {
            throw DataErrors.DoesNotFit(path, $"'whole' names '{unknown}', and it holds {Describe(inputs)}.");
        }

        return new IndexedDataSet(checked((int)count), index => new Sample(
            [.. inputs.Select(i => KeyValuePair.Create(i.Key, i.Value.Sample(index)))], LabelOf(labels?.Sample(index)))
        { Whole = options.Whole });
    }

    private static Label LabelOf(Tensor? tensor)
    {
        if (tensor is null)
        {
            return Label.None;
        }

        if (tensor.Rank > 0 || tensor.Type is not (DataType.String or DataType.Int8 or DataType.UInt8 or DataType.Int16 or DataType.UInt16
            or DataType.Int32 or DataType.UInt32 or DataType.Int64))
        {
            return new Label { Target = tensor };
        }

        return tensor.Type switch
        {
            DataType.String => new Label { Text = tensor.Strings[0] },
            DataType.Int8 => new Label { Class = tensor.ToArray<sbyte>()[0] },
            DataType.UInt8 => new Label { Class = tensor.ToArray<byte>()[0] },
            DataType.Int16 => new Label { Class = tensor.ToArray<short>()[0] },
            DataType.UInt16 => new Label { Class = tensor.ToArray<ushort>()[0] },
            DataType.Int32 => new Label { Class = tensor.ToArray<int>()[0] },
            DataType.UInt32 => new Label { Class = tensor.ToArray<uint>()[0] },
            _ => new Label { Class = tensor.ToArray<long>()[0] },
        };
    }

    private static bool IsZip(string path)
    {
        var bytes = new FileBytes(path);
        return bytes.Length >= 4 && bytes.Read(0, 4) is [(byte)'P', (byte)'K', 3, 4];
    }

    private static NpyFile Open(string path)
    {
        var bytes = new FileBytes(path);
        return new NpyFile(path, bytes.Length, bytes.Read);
    }

    // Entries of a zip are packed, so each is held in memory.
    private static ImmutableArray<KeyValuePair<string, NpyFile>> OpenAll(string path)
    {
        var tree = new FileTree(path);
        return [.. tree.Names.Select(name =>
        {
            var bytes = tree.Read(name);
            var file = new NpyFile(tree.Describe(name), bytes.Length, (offset, target) => bytes.AsSpan((int)offset, target.Length).CopyTo(target));
            return KeyValuePair.Create(name.EndsWith(".npy", StringComparison.Ordinal) ? name[..^4] : name, file);
        })];
    }

    private static string Describe(ImmutableArray<KeyValuePair<string, NpyFile>> arrays) =>
        arrays.Length == 0 ? "no array but the labels" : string.Join(", ", arrays.Select(a => $"'{a.Key}' {a.Value.Description}"));
}
