using Build.ML.Graph;
using Build.ML.Graph.Tensors;

namespace Build.ML.Cli.Models;

/// <summary>A weight that differs.</summary>
/// <param name="Change">How.</param>
/// <param name="Name">Its name.</param>
/// <param name="Before">Type and shape; null where it is missing.</param>
/// <param name="After">Type and shape; null where it is missing.</param>
/// <param name="BytesBefore">Bytes.</param>
/// <param name="BytesAfter">Bytes.</param>
/// <param name="MaxAbsDifference">Largest |after − before|; null where elements cannot be compared one by one: another shape, or a type that stands for other values.</param>
/// <param name="RelativeError">‖after − before‖ / ‖before‖ (Euclidean); null like <paramref name="MaxAbsDifference"/>.</param>
internal sealed record WeightChange(
    ChangeKind Change, string Name, string? Before, string? After, long BytesBefore, long BytesAfter, double? MaxAbsDifference, double? RelativeError)
{
    /// <summary>Compares a weight of one model with that of the same name in another.</summary>
    /// <returns>Null when they are equal.</returns>
    public static WeightChange? Of(string name, Tensor? before, Tensor? after)
    {
        if (before is null || after is null)
        {
            return new(before is null ? ChangeKind.Added : ChangeKind.Removed, name, before?.ToString(), after?.ToString(),
                before?.ByteLength ?? 0, after?.ByteLength ?? 0, null, null);
        }

        var isSameType = before.Type == after.Type && before.Sizes.AsSpan().SequenceEqual(after.Sizes.AsSpan());
        if (isSameType && (before.Type == DataType.String ? before.Strings.SequenceEqual(after.Strings) : HaveSameBytes(before, after)))
        {
            return null;
        }

        // Float formats stand for the same values; integers of another type are scaled.
        var isComparable = before.Sizes.AsSpan().SequenceEqual(after.Sizes.AsSpan())
            && (before.Type == after.Type || (before.Type.IsFloat() && after.Type.IsFloat()))
            && ElementReader.CanRead(before.Type) && ElementReader.CanRead(after.Type);
        var (largest, relative) = isComparable ? Measure(before, after) : ((double?)null, (double?)null);
        return new(ChangeKind.Changed, name, before.ToString(), after.ToString(), before.ByteLength, after.ByteLength, largest, relative);
    }

    private static bool HaveSameBytes(Tensor a, Tensor b)
    {
        const int Piece = 1 << 20;
        using var left = a.Content.Open();
        using var right = b.Content.Open();
        for (long at = 0; at < a.ByteLength; at += Piece)
        {
            var length = (int)Math.Min(Piece, a.ByteLength - at);
            if (!left.Slice(at, length).SequenceEqual(right.Slice(at, length)))
            {
                return false;
            }
        }

        return true;
    }

    private static (double Largest, double Relative) Measure(Tensor before, Tensor after)
    {
        const int Piece = 1 << 16;
        var (a, b) = (new double[Piece], new double[Piece]);
        using var left = before.Content.Open();
        using var right = after.Content.Open();
        double largest = 0, difference = 0, norm = 0;
        for (long at = 0; at < before.Count; at += Piece)
        {
            var count = (int)Math.Min(Piece, before.Count - at);
            ElementReader.Read(before.Type, left, at, a.AsSpan(0, count));
            ElementReader.Read(after.Type, right, at, b.AsSpan(0, count));
            for (var i = 0; i < count; i++)
            {
                // Infinities of one sign, and two not-a-numbers, are equal.
                var d = a[i].Equals(b[i]) ? 0 : Math.Abs(b[i] - a[i]);
                largest = double.IsNaN(d) ? d : Math.Max(largest, d);
                difference += d * d;
                norm += a[i] * a[i];
            }
        }

        return (largest, Math.Sqrt(difference / norm));
    }
}
