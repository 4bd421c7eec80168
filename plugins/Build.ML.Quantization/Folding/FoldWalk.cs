using Build.ML.Graph;
using Build.ML.Graph.Catalogs;
using Build.ML.Graph.Ir;

namespace Build.ML.Quantization.Folding;

/// <summary>A constant that takes scales.</summary>
/// <param name="Node">Reads the constant.</param>
/// <param name="Input">Which input it is.</param>
/// <param name="Grid">The channel of each of its elements, by numpy's broadcasting.</param>
internal sealed record Absorption(Node Node, int Input, ChannelGrid Grid);

/// <summary>
/// Goes from a value against the direction of the graph to the constants that can be divided by channel scales instead of the value. Nothing is changed
/// on the way; rules that fail leave no trace.
/// </summary>
internal sealed class FoldWalk
{
    private const int LargestCopy = 1 << 16; // elements of a shared constant that may be copied: gammas, not matrices

    private readonly IReadOnlyDictionary<(string Domain, string OpType), FoldRule> _rules;
    private readonly List<Absorption> _absorptions = [];
    private readonly List<Node> _nodes = [];

    /// <summary>A walk from a value of <paramref name="channels"/> channels.</summary>
    public FoldWalk(IReadOnlyDictionary<(string Domain, string OpType), FoldRule> rules, int channels)
    {
        _rules = rules;
        Ties = new ChannelTies(channels);
    }

    /// <summary>Channels that must share a scale.</summary>
    public ChannelTies Ties { get; private set; }

    /// <summary>The constants to divide.</summary>
    public IReadOnlyList<Absorption> Absorptions => _absorptions;

    /// <summary>The nodes passed.</summary>
    public IReadOnlyList<Node> Nodes => _nodes;

    /// <summary>All rules of this assembly.</summary>
    public static IReadOnlyDictionary<(string Domain, string OpType), FoldRule> AllRules() =>
        Catalog<FoldRuleTable>.Scan(typeof(FoldWalk).Assembly).SelectMany(e => e.Create().Rules).ToDictionary();

    /// <summary>Divides a value that only <paramref name="reader"/> may read.</summary>
    public string? Into(Value? value, ChannelGrid grid, Node reader)
    {
        if (!grid.Touches)
        {
            return null;
        }

        if (value is null)
        {
            return $"{reader.DisplayName} has no such input";
        }

        foreach (var use in value.Uses)
        {
            if (use.Node != reader && !use.Node.Is("Shape"))
            {
                return $"'{value.Name}' is read by {use.Node.DisplayName} too";
            }
        }

        return value.Uses.Count(u => u.Node == reader) > 1 ? $"{reader.DisplayName} reads '{value.Name}' twice" : Through(value, grid);
    }

    /// <summary>Divides a value whose readers have been seen to.</summary>
    public string? Through(Value value, ChannelGrid grid)
    {
        if (value.IsGraphOutput)
        {
            return $"'{value.Name}' is an output of the model";
        }

        if (value.Producer is not { } node)
        {
            return value.IsGraphInput ? $"'{value.Name}' is an input of the model" : $"'{value.Name}' is a constant where a computed value is expected";
        }

        if (!_rules.TryGetValue((node.Domain, node.OpType), out var rule))
        {
            return $"no scale passes through {node.DisplayName}";
        }

        _nodes.Add(node);
        return rule(this, value, grid.Trimmed());
    }

    /// <summary>Divides a constant input of a node.</summary>
    public string? Absorb(Node node, int input, ChannelGrid grid)
    {
        if (node.Input(input) is not { Constant: { } tensor } value)
        {
            return $"input {input} of {node.DisplayName} is not constant";
        }

        if (tensor.Type is not (DataType.Float or DataType.Float16 or DataType.BFloat16))
        {
            return $"'{value.Name}' holds no floats";
        }

        if (value.Uses.Count > 1 && tensor.Count > LargestCopy)
        {
            return $"the weight '{value.Name}' is shared with {value.Uses.First(u => u.Node != node || u.Index != input).Node.DisplayName}";
        }

        if (value.IsGraphOutput)
        {
            return $"'{value.Name}' is an output of the model";
        }

        if (_absorptions.Any(a => a.Node == node && a.Input == input))
        {
            return $"'{value.Name}' would take two scales";
        }

        _absorptions.Add(new(node, input, grid));
        return null;
    }

    /// <summary>The first of several ways that works; else all their reasons.</summary>
    public string? First(params ReadOnlySpan<Func<string?>> ways)
    {
        var reasons = new List<string>();
        foreach (var way in ways)
        {
            var (absorbed, passed, ties) = (_absorptions.Count, _nodes.Count, Ties.Copy());
            if (way() is not { } reason)
            {
                return null;
            }

            _absorptions.RemoveRange(absorbed, _absorptions.Count - absorbed);
            _nodes.RemoveRange(passed, _nodes.Count - passed);
            Ties = ties;
            reasons.Add(reason);
        }

        return string.Join("; ", reasons);
    }
}
