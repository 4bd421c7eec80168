using Build.ML.Calibration.Layers;
using Build.ML.Quantization.Blocks;

namespace Build.ML.Quantization.Mixed;

/// <summary>Which format each layer takes. A choice is the index of a format; one past the last stands for leaving the layer as it is.</summary>
internal sealed class BitAllocation
{
    private readonly Choice[][] _choices;

    /// <summary>Sets the problem.</summary>
    /// <param name="items">Layers with their formats.</param>
    /// <param name="noises">What each format costs.</param>
    /// <param name="mayStay">Whether layers may be left as they are.</param>
    public BitAllocation(IReadOnlyList<(WeightLayer Layer, BlockFormat[] Formats)> items, double[][] noises, bool mayStay)
    {
        Items = items;
        _choices = new Choice[items.Count][];
        for (var i = 0; i < items.Count; i++)
        {
            var (layer, formats) = items[i];
            // A finite number for outputs that are not numbers: beyond all others, and still comparable.
            IEnumerable<Choice> choices = formats.Select((f, n) => new Choice(
                (long)Math.Ceiling(f.EffectiveBits(layer.Columns) * layer.Rows * layer.Columns / 8), double.IsFinite(noises[i][n]) ? noises[i][n] : 1e30));
            _choices[i] = [.. mayStay ? choices.Append(new(layer.ByteLength, 0)) : choices];
            Elements += (long)layer.Rows * layer.Columns;
            SourceBytes += layer.ByteLength;
        }
    }

    /// <summary>Layers with their formats.</summary>
    public IReadOnlyList<(WeightLayer Layer, BlockFormat[] Formats)> Items { get; }

    /// <summary>Weights of all layers.</summary>
    public long Elements { get; }

    /// <summary>Bytes they take now.</summary>
    public long SourceBytes { get; }

    /// <summary>Bytes with the smallest choices.</summary>
    public long LeastBytes => _choices.Sum(c => c.Min(x => x.Size));

    /// <summary>Bytes with the largest choices.</summary>
    public long MostBytes => _choices.Sum(c => c.Max(x => x.Size));

    /// <summary>Bytes of an allocation.</summary>
    public long BytesOf(int[] allocation) => allocation.Select((c, i) => _choices[i][c].Size).Sum();

    /// <summary>Sum of the noises of an allocation.</summary>
    public double NoiseOf(int[] allocation) => allocation.Select((c, i) => _choices[i][c].Cost).Sum();

    /// <summary>The allocation of least noise within a budget of bytes, or null where there is none.</summary>
    public int[]? Solve(long budget) => MultipleChoiceKnapsack.Solve(_choices, budget);
}
