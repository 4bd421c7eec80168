using Build.ML.Graph.Coupling;

namespace Build.ML.Pruning.Structured.Recovery;

/// <summary>Which positions of the original constants are left, over all rounds, and which layers read what is gone.</summary>
internal sealed class KeptPositions
{
    private readonly Dictionary<(string Constant, int Dimension), int[]> _kept = [];
    private readonly HashSet<string> _readers = new(StringComparer.Ordinal);

    /// <summary>First outputs of the layers that sum over an axis of which something is gone.</summary>
    public IReadOnlySet<string> Readers => _readers;

    /// <summary>Notes a removal, before it happens.</summary>
    public void Remove(IReadOnlyDictionary<ChannelAxis, IReadOnlyList<int>> removed)
    {
        var dropped = new Dictionary<(string, int), bool[]>();
        foreach (var (axis, positions) in removed)
        {
            var gone = positions.ToHashSet();
            foreach (var place in axis.Places)
            {
                var along = place.ToAxisPositions();
                if (!dropped.TryGetValue((place.Constant.Name, place.Dimension), out var drop))
                {
                    drop = new bool[along.Length];
                    dropped.Add((place.Constant.Name, place.Dimension), drop);
                }

                for (var i = 0; i < along.Length; i++)
                {
                    drop[i] |= gone.Contains(along[i]);
                }

                if (place.Role == AxisRole.Input)
                {
                    _readers.Add(place.Reader.Outputs[0].Name);
                }
            }
        }

        foreach (var (dimension, drop) in dropped)
        {
            _kept[dimension] = [.. Of(dimension.Item1, dimension.Item2, drop.Length).Where((_, i) => !drop[i])];
        }
    }

    /// <summary>Positions along a dimension of the original constant that are left, ascending.</summary>
    /// <param name="constant">Its name.</param>
    /// <param name="dimension">The dimension.</param>
    /// <param name="size">Its size now.</param>
    public int[] Of(string constant, int dimension, int size) => _kept.GetValueOrDefault((constant, dimension)) ?? [.. Enumerable.Range(0, size)];
}
