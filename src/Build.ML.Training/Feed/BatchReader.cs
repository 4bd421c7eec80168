using System.Collections.Immutable;
using System.Numerics;
using System.Runtime.InteropServices;
using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.Inference;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Training.Random;

namespace Build.ML.Training.Feed;

/// <summary>Reads, augments and pads the samples of one batch at a time. For one thread.</summary>
internal sealed class BatchReader
{
    private readonly DataSet _data;
    private readonly FeedOptions _options;
    private readonly ImmutableArray<SampleGroup> _groups;
    private readonly EpochPlan _plan;
    private readonly int[] _augmented; // input of each augmentation
    private readonly int _padded; // input padded with the value of the options
    private float[] _scratch = [];
    private byte[] _unpadded = [];

    /// <summary>Looks at the data: its first sample, or with buckets every one.</summary>
    public BatchReader(DataSet data, FeedOptions options, CancellationToken cancellation)
    {
        (_data, _options) = (data, options);
        if (data.Count == 0)
        {
            throw FeedErrors.Empty(options.Name);
        }

        _groups = options.Buckets is null ? SampleGroups.OfOneShape(data) : SampleGroups.ByPaddedShape(data, options, cancellation);
        _plan = new EpochPlan(_groups, options);
        var shape = _groups[0].Shape;
        foreach (var input in shape.Inputs)
        {
            if (input.Type.BitWidth() < 8)
            {
                throw FeedErrors.NotNumbers(options.Name, input);
            }

            if (input.IsWhole && options.BatchSize > 1)
            {
                throw FeedErrors.Whole(options.Name, input.Name, options.BatchSize);
            }
        }

        _augmented = InputsOfAugmentations(shape, options);
        _padded = options.Buckets is { } buckets ? IndexOf(shape, buckets.Input) : 0;
        if (_padded < 0)
        {
            throw FeedErrors.NoInput(options.Name, options.Buckets!.Input, shape);
        }

        Shapes = [.. _groups.Select(g => g.Shape)];
    }

    /// <summary>Every shape that a batch may have.</summary>
    public ImmutableArray<FeedShape> Shapes { get; }

    /// <summary>Batches of an epoch.</summary>
    public int StepsPerEpoch => _plan.StepsPerEpoch;

    /// <summary>Reads the batch of a step into <paramref name="buffers"/>.</summary>
    public FeedBatch Read(long step, BatchBuffers buffers, CancellationToken cancellation)
    {
        _plan.Plan(step / StepsPerEpoch);
        var batch = (int)(step % StepsPerEpoch);
        var group = _plan.Group(batch);
        var shape = Shapes[group];
        var inputs = buffers.Of(group, shape);
        var indices = _plan.Samples(batch);
        var labels = new Label[indices.Length];
        var epochRandom = new CounterRandom(_options.Seed, RandomStream.Augmentation).Fork(_plan.Epoch);
        for (var place = 0; place < indices.Length; place++)
        {
            cancellation.ThrowIfCancellationRequested();
            var sample = _data[indices[place]];
            if (!shape.Holds(sample, out var isSame) || (!isSame && _options.Buckets is null))
            {
                throw FeedErrors.Differs(_options.Name, indices[place], FeedShape.Of(sample), shape, _options.Buckets is not null);
            }

            labels[place] = sample.Label;
            for (var i = 0; i < inputs.Length; i++)
            {
                var random = epochRandom.Fork(indices[place]).Fork(_plan.Repeats(batch, place));
                Write(sample, i, shape.Inputs[i], place, inputs[i].Value, random);
            }
        }

        return new(step, _plan.Epoch, shape, inputs, ImmutableCollectionsMarshal.AsImmutableArray(labels), [.. indices]);
    }

    private void Write(Sample sample, int input, FeedInput shape, int place, TensorBuffer buffer, CounterRandom random)
    {
        var tensor = sample.Inputs[input].Value;
        var length = (int)(buffer.ByteLength / (shape.IsWhole ? 1 : _options.BatchSize));
        var destination = buffer.Span<byte>().Slice(place * length, length);
        using var view = tensor.Read<byte>();
        if (view.Span.Length == length)
        {
            view.Span.CopyTo(destination);
            Augment(input, destination, tensor.Sizes, random);
            return;
        }

        if (_unpadded.Length < view.Span.Length)
        {
            _unpadded = new byte[view.Span.Length];
        }

        var unpadded = _unpadded.AsSpan(0, view.Span.Length);
        view.Span.CopyTo(unpadded);
        Augment(input, unpadded, tensor.Sizes, random);
        Fill(destination, shape.Type, input == _padded ? _options.Buckets!.PadValue : 0);
        CopyInto(unpadded, tensor.Sizes.AsSpan(), destination, shape.Sizes.AsSpan(), shape.Type.BitWidth() / 8);
    }

    private void Augment(int input, Span<byte> bytes, ImmutableArray<long> sizes, CounterRandom random)
    {
        for (var a = 0; a < _augmented.Length; a++)
        {
            if (_augmented[a] != input)
            {
                continue;
            }

            var augmentation = _options.Augmentations[a];
            var own = random.Fork(a);
            if (own.Chance(augmentation.Probability))
            {
                var pixels = MemoryMarshal.Cast<byte, float>(bytes);
                if (_scratch.Length < pixels.Length)
                {
                    _scratch = new float[pixels.Length];
                }

                augmentation.Apply(new(pixels, _scratch.AsSpan(0, pixels.Length), (int)sizes[0], (int)sizes[1], (int)sizes[2]), ref own);
            }
        }
    }

    private static void CopyInto(ReadOnlySpan<byte> source, ReadOnlySpan<long> sizes, Span<byte> destination, ReadOnlySpan<long> padded, int elementSize)
    {
        if (source.Length == destination.Length || sizes.Length <= 1 || source.Length == 0)
        {
            source.CopyTo(destination);
            return;
        }

        var (from, to) = (source.Length / (int)sizes[0], destination.Length / (int)padded[0]);
        for (var i = 0; i < sizes[0]; i++)
        {
            CopyInto(source.Slice(i * from, from), sizes[1..], destination.Slice(i * to, to), padded[1..], elementSize);
        }
    }

    private static void Fill(Span<byte> destination, DataType type, double value)
    {
        if (value == 0)
        {
            destination.Clear();
            return;
        }

        switch (type)
        {
            case DataType.Int64 or DataType.UInt64:
                Fill(destination, (long)value);
                break;
            case DataType.Int32 or DataType.UInt32:
                Fill(destination, (int)value);
                break;
            case DataType.Int16 or DataType.UInt16:
                Fill(destination, (short)value);
                break;
            case DataType.Float:
                Fill(destination, (float)value);
                break;
            case DataType.Double:
                Fill(destination, value);
                break;
            case DataType.Float16:
                Fill(destination, (Half)value);
                break;
            default:
                destination.Fill((byte)value);
                break;
        }
    }

    private static void Fill<T>(Span<byte> destination, T value)
        where T : unmanaged, INumber<T> => MemoryMarshal.Cast<byte, T>(destination).Fill(value);

    private static int[] InputsOfAugmentations(FeedShape shape, FeedOptions options)
    {
        var errors = new List<Diagnostic>();
        var inputs = new int[options.Augmentations.Length];
        for (var a = 0; a < inputs.Length; a++)
        {
            inputs[a] = IndexOf(shape, options.Augmentations[a].Input);
            if (inputs[a] < 0 || shape.Inputs[inputs[a]] is not { Type: DataType.Float, Sizes.Length: 3, IsWhole: false } image
                || (image.Sizes[0] > 4 && image.Sizes[2] <= 4)) // channels last: it would work on the wrong dimensions
            {
                errors.Add(FeedErrors.DoesNotFit(options.Name, options.Augmentations[a], shape));
            }
        }

        return errors.Count == 0 ? inputs : throw new DiagnosticException(errors);
    }

    // The empty name stands for the first input, in options as in data.
    private static int IndexOf(FeedShape shape, string name)
    {
        for (var i = 0; i < shape.Inputs.Length; i++)
        {
            if (shape.Inputs[i].Name == name)
            {
                return i;
            }
        }

        return name.Length == 0 ? 0 : -1;
    }
}
