using System.Runtime.InteropServices;
using Build.ML.Abstractions.Inference;
using Build.ML.Graph;
using Build.ML.Graph.Tensors;
using Build.ML.Training.Feed;

namespace Build.ML.Training;

/// <summary>Labels into buffers, checked one by one: the runtime would read what a wrong class index points at.</summary>
internal static class LabelWriters
{
    /// <summary>int64 [batch] of <c>Label.Class</c>.</summary>
    public static void Classes(FeedBatch batch, TensorBuffer buffer, long classes, long? ignored)
    {
        var values = buffer.Span<long>();
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = batch.Labels[i].Class ?? throw LossErrors.NoLabel(batch.Indices[i], "class (Label.Class)");
            Check(values[i], batch.Indices[i], classes, ignored);
        }
    }

    /// <summary>int64 [batch, …] of <c>Label.Target</c>, integers.</summary>
    public static void ClassTargets(FeedBatch batch, TensorBuffer buffer, long classes, long? ignored)
    {
        var values = buffer.Span<long>();
        var each = values.Length / batch.Labels.Length;
        for (var i = 0; i < batch.Labels.Length; i++)
        {
            var row = values.Slice(i * each, each);
            Read(TargetOf(batch, i, each), batch.Indices[i], row);
            foreach (var label in row)
            {
                Check(label, batch.Indices[i], classes, ignored);
            }
        }
    }

    /// <summary>float [batch, …] of <c>Label.Target</c>, or of <c>Label.Class</c> where a target is one number.</summary>
    public static void Targets(FeedBatch batch, TensorBuffer buffer)
    {
        var values = buffer.Span<float>();
        var each = values.Length / batch.Labels.Length;
        for (var i = 0; i < batch.Labels.Length; i++)
        {
            var row = values.Slice(i * each, each);
            if (batch.Labels[i] is { Target: null, Class: { } single } && each == 1)
            {
                row[0] = single;
                continue;
            }

            var target = TargetOf(batch, i, each);
            switch (target.Type)
            {
                case DataType.Float:
                    using (var view = target.Read<float>())
                    {
                        view.Span.CopyTo(row);
                    }

                    break;
                case DataType.Double:
                    using (var view = target.Read<double>())
                    {
                        System.Numerics.Tensors.TensorPrimitives.ConvertTruncating(view.Span, row);
                    }

                    break;
                default:
                    var integers = new long[each];
                    Read(target, batch.Indices[i], integers);
                    System.Numerics.Tensors.TensorPrimitives.ConvertTruncating<long, float>(integers, row);
                    break;
            }
        }
    }

    /// <summary>The elements of an integer tensor.</summary>
    public static void Read(Tensor target, int sample, Span<long> destination)
    {
        using var view = target.Read<byte>();
        switch (target.Type)
        {
            case DataType.Int64:
                MemoryMarshal.Cast<byte, long>(view.Span).CopyTo(destination);
                break;
            case DataType.Int32:
                System.Numerics.Tensors.TensorPrimitives.ConvertTruncating(MemoryMarshal.Cast<byte, int>(view.Span), destination);
                break;
            case DataType.UInt8 or DataType.Bool:
                System.Numerics.Tensors.TensorPrimitives.ConvertTruncating(view.Span, destination);
                break;
            default:
                throw LossErrors.WrongLabel(sample, target.ToString(), "integers (int64, int32, uint8)");
        }
    }

    private static Tensor TargetOf(FeedBatch batch, int i, int count)
    {
        var target = batch.Labels[i].Target ?? throw LossErrors.NoLabel(batch.Indices[i], "target (Label.Target)");
        return target.Count == count ? target : throw LossErrors.WrongLabel(batch.Indices[i], target.ToString(), $"{count} elements");
    }

    private static void Check(long label, int sample, long classes, long? ignored)
    {
        if ((ulong)label >= (ulong)classes && label != ignored)
        {
            throw LossErrors.WrongLabel(sample, label.ToString(System.Globalization.CultureInfo.InvariantCulture), $"a class of 0 to {classes - 1}");
        }
    }
}
