using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace Build.ML.Pruning.Gradual;

/// <summary>
/// A weight in training of which more and more is 0. What went keeps the value that it had: it comes back with it when it counts for more than what stayed.
/// </summary>
internal sealed class GradualWeight
{
    private readonly float[] _values;
    private readonly float[] _scores;
    private readonly uint[] _mask;

    /// <summary>Starts with all of the weight.</summary>
    /// <param name="name">Initializer.</param>
    /// <param name="axis">Axis that products are summed over.</param>
    /// <param name="sizes">Sizes.</param>
    /// <param name="importance">What tells which weights go.</param>
    public GradualWeight(string name, int axis, ReadOnlySpan<long> sizes, PruningImportance importance)
    {
        (Name, Length, Inner) = (name, checked((int)sizes[axis]), 1);
        foreach (var size in sizes[(axis + 1)..])
        {
            Inner = checked(Inner * (int)size);
        }

        var count = 1;
        foreach (var size in sizes)
        {
            count = checked(count * (int)size);
        }

        (_values, _mask) = (new float[count], new uint[count]);
        _scores = importance == PruningImportance.Movement ? new float[count] : [];
        Array.Fill(_mask, uint.MaxValue);
    }

    /// <summary>Initializer.</summary>
    public string Name { get; }

    /// <summary>Number of weights.</summary>
    public int Count => _mask.Length;

    /// <summary>Size of the axis that products are summed over.</summary>
    public int Length { get; }

    /// <summary>Product of the sizes after it.</summary>
    public int Inner { get; }

    /// <summary>All bits of a weight that stays, none of one that goes.</summary>
    public Span<uint> Mask => _mask;

    /// <summary>
    /// Adds what a step tells of each weight: −w·∂L/∂w, positive where the step makes it grow (Sanh et al. 2020, "Movement Pruning", arXiv 2005.07683, eq. 4), also of weights that are 0
    /// at the time.
    /// </summary>
    /// <param name="gradients">∂L/∂w.</param>
    /// <param name="scale">What they are multiplied by.</param>
    public void Accumulate(ReadOnlySpan<float> gradients, float scale)
    {
        Span<float> product = stackalloc float[1024];
        for (var start = 0; start < Count; start += product.Length)
        {
            var length = Math.Min(product.Length, Count - start);
            var part = product[..length];
            TensorPrimitives.Multiply(gradients.Slice(start, length), _values.AsSpan(start, length), part);
            TensorPrimitives.Multiply(part, -scale, part);
            TensorPrimitives.Add(_scores.AsSpan(start, length), part, _scores.AsSpan(start, length));
        }
    }

    /// <summary>Takes over what a step made of the weights that stay.</summary>
    public void Follow(ReadOnlySpan<float> weights)
    {
        for (var i = 0; i < Count; i++)
        {
            _values[i] = _mask[i] != 0 ? weights[i] : _values[i];
        }
    }

    /// <summary>Writes the weights that stay, and zeros.</summary>
    public void Apply(Span<float> weights) =>
        TensorPrimitives.BitwiseAnd(MemoryMarshal.Cast<float, uint>(_values), _mask, MemoryMarshal.Cast<float, uint>(weights));

    /// <summary>Sets to 0 what goes, of other values for the same weight.</summary>
    public void Cut(Span<float> weights)
    {
        var bits = MemoryMarshal.Cast<float, uint>(weights);
        TensorPrimitives.BitwiseAnd(bits, _mask, bits);
    }

    /// <summary>How much each weight counts.</summary>
    public void Importance(Span<float> destination)
    {
        if (_scores.Length > 0)
        {
            _scores.CopyTo(destination);
        }
        else
        {
            TensorPrimitives.Abs(_values, destination);
        }
    }

    /// <summary>For checkpoints.</summary>
    public void Save(BinaryWriter writer)
    {
        writer.Write(MemoryMarshal.AsBytes<float>(_values));
        writer.Write(MemoryMarshal.AsBytes<float>(_scores));
        writer.Write(MemoryMarshal.AsBytes<uint>(_mask));
    }

    /// <summary>Reads what <see cref="Save"/> wrote.</summary>
    public void Load(BinaryReader reader)
    {
        reader.BaseStream.ReadExactly(MemoryMarshal.AsBytes(_values.AsSpan()));
        reader.BaseStream.ReadExactly(MemoryMarshal.AsBytes(_scores.AsSpan()));
        reader.BaseStream.ReadExactly(MemoryMarshal.AsBytes(_mask.AsSpan()));
    }
}
