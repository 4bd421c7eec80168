using System.Collections.Immutable;

namespace Build.ML.Graph;

/// <summary>The shape of a tensor of known rank; a value of unknown rank has no shape (null).</summary>
public sealed class Shape : IEquatable<Shape>
{
    /// <summary>A shape from its dimensions, outermost first; none for a scalar.</summary>
    public Shape(params IEnumerable<Dimension> dimensions) => Dimensions = [.. dimensions];

    /// <summary>The dimensions, outermost first.</summary>
    public ImmutableArray<Dimension> Dimensions { get; }

    /// <summary>
    /// What each dimension stands for (<c>TensorShapeProto.Dimension.denotation</c>), as many as the file gives or fewer; empty by default. Not part
    /// of equality.
    /// </summary>
    public ImmutableArray<string> Denotations { get; init; } = [];

    /// <summary>Number of dimensions; 0 for a scalar.</summary>
    public int Rank => Dimensions.Length;

    /// <summary>Whether every dimension is known.</summary>
    public bool IsStatic
    {
        get
        {
            foreach (var dimension in Dimensions)
            {
                if (!dimension.IsKnown)
                {
                    return false;
                }
            }

            return true;
        }
    }

    /// <summary>Number of elements, or null when a dimension is not known.</summary>
    /// <exception cref="OverflowException">The product does not fit 63 bits.</exception>
    public long? Count
    {
        get
        {
            long count = 1;
            foreach (var dimension in Dimensions)
            {
                if (dimension.Size is not { } size)
                {
                    return null;
                }

                count = checked(count * size);
            }

            return count;
        }
    }

    /// <summary>The dimension at <paramref name="axis"/>; negative counts from the end.</summary>
    public Dimension this[int axis] => Dimensions[axis < 0 ? axis + Rank : axis];

    /// <summary>A static shape from sizes.</summary>
    public static Shape Of(params ReadOnlySpan<long> sizes)
    {
        var dimensions = new Dimension[sizes.Length];
        for (var i = 0; i < sizes.Length; i++)
        {
            dimensions[i] = sizes[i];
        }

        return new Shape(dimensions);
    }

    /// <summary>The sizes when all are known, else null.</summary>
    public long[]? ToSizes()
    {
        var sizes = new long[Rank];
        for (var i = 0; i < Rank; i++)
        {
            if (Dimensions[i].Size is not { } size)
            {
                return null;
            }

            sizes[i] = size;
        }

        return sizes;
    }

    /// <inheritdoc/>
    public bool Equals(Shape? other) => other is not null && Dimensions.AsSpan().SequenceEqual(other.Dimensions.AsSpan());

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as Shape);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = default(HashCode);
        foreach (var dimension in Dimensions)
        {
            hash.Add(dimension);
        }

        return hash.ToHashCode();
    }

    /// <summary>For example <c>[batch,3,48,?]</c>.</summary>
    public override string ToString() => $"[{string.Join(',', Dimensions)}]";
}
