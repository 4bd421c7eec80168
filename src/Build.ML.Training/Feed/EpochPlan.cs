using System.Collections.Immutable;
using Build.ML.Training.Random;

namespace Build.ML.Training.Feed;

/// <summary>
/// Which samples each batch of an epoch holds: a function of seed and epoch. Every sample occurs once. What a group's samples leave over
/// after whole batches goes on to the next group it fits
/// into; what is left at the very end is filled up with samples of the last group once more, in the same order.
/// </summary>
internal sealed class EpochPlan
{
    private readonly ImmutableArray<SampleGroup> _groups;
    private readonly FeedOptions _options;
    private readonly int[] _next; // group that takes what a group leaves over
    private readonly int[] _samples;
    private readonly int[] _batchGroups;
    private readonly int[] _batchStarts;
    private int _lastStart; // place of the first sample of the last group
    private int _lastLength; // and how many there are before they repeat

    /// <summary>A plan for no epoch yet.</summary>
    public EpochPlan(ImmutableArray<SampleGroup> groups, FeedOptions options)
    {
        (_groups, _options) = (groups, options);
        _next = new int[groups.Length];
        var carried = new int[groups.Length];
        for (var g = 0; g < groups.Length; g++)
        {
            var count = groups[g].Samples.Length + carried[g];
            if (g == groups.Length - 1)
            {
                StepsPerEpoch += (count + options.BatchSize - 1) / options.BatchSize;
                continue;
            }

            StepsPerEpoch += count / options.BatchSize;
            _next[g] = NextThatHolds(g);
            carried[_next[g]] += count % options.BatchSize;
        }

        _samples = new int[checked(StepsPerEpoch * options.BatchSize)];
        _batchGroups = new int[StepsPerEpoch];
        _batchStarts = new int[StepsPerEpoch];
    }

    /// <summary>Batches of an epoch.</summary>
    public int StepsPerEpoch { get; }

    /// <summary>The epoch planned; −1 none.</summary>
    public long Epoch { get; private set; } = -1;

    /// <summary>Group of a batch of the planned epoch.</summary>
    public int Group(int batch) => _batchGroups[batch];

    /// <summary>Samples of a batch of the planned epoch.</summary>
    public ReadOnlySpan<int> Samples(int batch) => _samples.AsSpan(_batchStarts[batch], _options.BatchSize);

    /// <summary>
    /// How often the sample at a place of a batch occurred in this epoch before: 0 but for those that fill up the last batch.
    /// </summary>
    public int Repeats(int batch, int place) => Math.Max(0, _batchStarts[batch] + place - _lastStart) / Math.Max(1, _lastLength);

    /// <summary>Plans an epoch.</summary>
    public void Plan(long epoch)
    {
        if (Epoch == epoch)
        {
            return;
        }

        Epoch = epoch;
        var order = new CounterRandom(_options.Seed, RandomStream.Order).Fork(epoch);
        var carried = new List<int>?[_groups.Length];
        var (written, batch) = (0, 0);
        for (var g = 0; g < _groups.Length; g++)
        {
            var own = _groups[g].Samples.Length;
            var left = carried[g];
            var count = own + (left?.Count ?? 0);
            var isLast = g == _groups.Length - 1;
            var list = new int[count];
            _groups[g].Samples.CopyTo(list, 0);
            left?.CopyTo(list, own);
            if (_options.Shuffle)
            {
                var random = order.Fork(g);
                Shuffle(list.AsSpan(0, own), _options.ShuffleWindow, ref random);
            }

            var used = isLast ? count : count / _options.BatchSize * _options.BatchSize;
            list.AsSpan(0, used).CopyTo(_samples.AsSpan(written));
            if (isLast)
            {
                (_lastStart, _lastLength) = (written, count);
                for (var i = written + used; i < _samples.Length; i++)
                {
                    _samples[i] = list[(i - written) % count];
                }
            }
            else
            {
                (carried[_next[g]] ??= []).AddRange(list.AsSpan(used));
            }

            for (; batch * _options.BatchSize < written + used; batch++)
            {
                (_batchGroups[batch], _batchStarts[batch]) = (g, batch * _options.BatchSize);
            }

            written += used;
        }

        if (_options.Shuffle && _groups.Length > 1)
        {
            var random = order.Fork(-1);
            for (var i = StepsPerEpoch - 1; i > 0; i--)
            {
                var j = random.Below(i + 1);
                (_batchGroups[i], _batchGroups[j]) = (_batchGroups[j], _batchGroups[i]);
                (_batchStarts[i], _batchStarts[j]) = (_batchStarts[j], _batchStarts[i]);
            }
        }
    }

    // Fisher and Yates, in Durstenfeld's form. With windows: the windows as wholes, then each by itself.
    private static void Shuffle(Span<int> list, int window, ref CounterRandom random)
    {
        if (window > 0 && window < list.Length)
        {
            var starts = new int[(list.Length + window - 1) / window];
            for (var i = 0; i < starts.Length; i++)
            {
                starts[i] = i * window;
            }

            Shuffle(starts, 0, ref random);
            var source = list.ToArray();
            var written = 0;
            foreach (var start in starts)
            {
                var length = Math.Min(window, list.Length - start);
                var piece = list.Slice(written, length);
                source.AsSpan(start, length).CopyTo(piece);
                Shuffle(piece, 0, ref random);
                written += length;
            }

            return;
        }

        for (var i = list.Length - 1; i > 0; i--)
        {
            var j = random.Below(i + 1);
            (list[i], list[j]) = (list[j], list[i]);
        }
    }

    private int NextThatHolds(int group)
    {
        for (var g = group + 1; g < _groups.Length - 1; g++)
        {
            if (Holds(_groups[g].Shape, _groups[group].Shape))
            {
                return g;
            }
        }

        return _groups.Length - 1;
    }

    private static bool Holds(FeedShape outer, FeedShape inner)
    {
        for (var i = 0; i < outer.Inputs.Length; i++)
        {
            for (var d = 0; d < outer.Inputs[i].Sizes.Length; d++)
            {
                if (inner.Inputs[i].Sizes[d] > outer.Inputs[i].Sizes[d])
                {
                    return false;
                }
            }
        }

        return true;
    }
}
