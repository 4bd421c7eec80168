using System.Collections.Immutable;

namespace Build.ML.Quantization.Weights;

/// <summary>A weight seen as [<paramref name="Outer"/>, <paramref name="Channels"/>, <paramref name="Inner"/>], row-major.</summary>
/// <param name="Outer">Product of the sizes before the channel axis.</param>
/// <param name="Channels">Size of the channel axis; 1 when the whole tensor is one channel.</param>
/// <param name="Inner">Product of the sizes after it.</param>
internal readonly record struct ChannelLayout(int Outer, int Channels, int Inner)
{
    /// <summary>Number of weights.</summary>
    public int Count => Outer * Channels * Inner;

    /// <summary>
    /// Weights to hand to one thread at a time: whole rows where the channels are columns. It depends on the layout only, so that partial sums are the
    /// same on any machine.
    /// </summary>
    public int ChunkSize => IsByColumn ? Math.Max((1 << 17) / Channels, 1) * Channels : 1 << 17;

    /// <summary>Whether neighbouring weights belong to different channels.</summary>
    public bool IsByColumn => Inner == 1 && Channels > 1;

    /// <summary>The layout of a tensor.</summary>
    /// <param name="sizes">Sizes of the weight.</param>
    /// <param name="axis">The channel axis, or null to take the tensor as one channel.</param>
    public static ChannelLayout Of(ImmutableArray<long> sizes, int? axis)
    {
        long outer = 1, inner = 1;
        for (var i = 0; i < sizes.Length; i++)
        {
            if (axis is null || i > axis)
            {
                inner *= sizes[i];
            }
            else if (i < axis)
            {
                outer *= sizes[i];
            }
        }

        return new(checked((int)outer), axis is { } a ? checked((int)sizes[a]) : 1, checked((int)inner));
    }

    /// <summary>Cuts a range of weights into runs of one channel or, where channels are columns, rows.</summary>
    /// <param name="start">First weight; the start of a row where channels are columns.</param>
    /// <param name="length">Number of weights; whole rows where channels are columns.</param>
    public SegmentEnumerator Segments(int start, int length) => new(this, start, length);

    /// <summary>A run of weights.</summary>
    /// <param name="Start">First weight.</param>
    /// <param name="Length">Number of weights.</param>
    /// <param name="Channel">Channel of all of them, 0 for a row across the channels.</param>
    /// <param name="IsRow">Whether it is a row across all channels.</param>
    public readonly record struct Segment(int Start, int Length, int Channel, bool IsRow);

    /// <summary>Walks over segments without allocation.</summary>
    public struct SegmentEnumerator(ChannelLayout layout, int start, int length)
    {
        private readonly int _end = start + length;
        private int _next = start;

        /// <summary>The segment at hand.</summary>
        public Segment Current { get; private set; }

        /// <summary>For <c>foreach</c>.</summary>
        public readonly SegmentEnumerator GetEnumerator() => this;

        /// <summary>Goes to the next segment.</summary>
        public bool MoveNext()
        {
            if (_next >= _end)
            {
                return false;
            }

            if (layout.IsByColumn)
            {
                Current = new(_next, layout.Channels, 0, true);
            }
            else
            {
                var end = Math.Min(_end, (_next / layout.Inner + 1) * layout.Inner);
                Current = new(_next, end - _next, _next / layout.Inner % layout.Channels, false);
            }

            _next += Current.Length;
            return true;
        }
    }
}
