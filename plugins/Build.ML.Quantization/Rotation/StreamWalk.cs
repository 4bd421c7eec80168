using Build.ML.Calibration.Layers;
using Build.ML.Graph.Catalogs;
using Build.ML.Graph.Ir;

namespace Build.ML.Quantization.Rotation;

/// <summary>Where a constant is read.</summary>
internal readonly record struct ConstantUse(Node Node, int Input)
{
    /// <summary>The value.</summary>
    public Value Value => Node.Inputs[Input]!;
}

/// <summary>
/// Finds everything that a rotation of one residual stream touches: the values connected with it through sums, the linear layers and tables that write it, those that read it, and the gammas
/// between, which move into the readers. Nothing is changed.
/// </summary>
internal sealed class StreamWalk(IReadOnlyDictionary<(string Domain, string OpType), StreamRule> rules, int width)
{
    private readonly HashSet<Value> _rotated = [];
    private readonly Dictionary<Value, ConstantUse> _gammas = [];
    private readonly Queue<Node> _nodes = [];
    private readonly HashSet<Node> _queued = [];

    /// <summary>Size of the stream's last dimension.</summary>
    public int Width => width;

    /// <summary>Why the stream cannot be rotated, or null.</summary>
    public string? Failure { get; private set; }

    /// <summary>Whether the rotation must map the vector of ones to itself: a mean over the stream is taken.</summary>
    public bool KeepsMean { get; set; }

    /// <summary>Linear layers that read the stream, with the gamma that moves into each.</summary>
    public Dictionary<Node, ConstantUse?> Readers { get; } = [];

    /// <summary>Linear layers that write it.</summary>
    public HashSet<Node> Writers { get; } = [];

    /// <summary>Constants whose last dimension is rotated: embeddings, positions, biases.</summary>
    public HashSet<ConstantUse> Tables { get; } = [];

    /// <summary>Betas of normalizations, each with the gamma that moves on: β becomes (β/γ)·R.</summary>
    public Dictionary<ConstantUse, ConstantUse> Betas { get; } = [];

    /// <summary>Gammas, which become ones.</summary>
    public IEnumerable<ConstantUse> Gammas => _gammas.Values.Distinct();

    /// <summary>The values rotated.</summary>
    public IReadOnlySet<Value> Rotated => _rotated;

    /// <summary>All rules of this assembly.</summary>
    public static IReadOnlyDictionary<(string Domain, string OpType), StreamRule> AllRules() =>
        Catalog<StreamRuleTable>.Scan(typeof(StreamWalk).Assembly).SelectMany(e => e.Create().Rules).ToDictionary();

    /// <summary>Draws all conclusions from one value; goes on after a failure, to know the whole stream.</summary>
    public void Run(Value seed)
    {
        Rotate(seed);
        while (_nodes.TryDequeue(out var node))
        {
            _queued.Remove(node);
            if (rules.TryGetValue((node.Domain, node.OpType), out var rule))
            {
                rule(this, node);
            }
            else
            {
                Fail($"no rotation passes through {node.DisplayName}");
            }
        }
    }

    /// <summary>Whether a value is rotated.</summary>
    public bool IsRotated(Value? value) => value is not null && _rotated.Contains(value);

    /// <summary>The gamma that a rotated value was multiplied with and will not be any more.</summary>
    public ConstantUse? GammaOf(Value value) => _gammas.TryGetValue(value, out var gamma) ? gamma : null;

    /// <summary>Rotates a value, and with it all that is connected.</summary>
    /// <param name="value">Its last dimension has the stream's width.</param>
    /// <param name="gamma">What it was multiplied with and will not be any more.</param>
    public void Rotate(Value? value, ConstantUse? gamma = null)
    {
        if (value is null)
        {
            return;
        }

        if (gamma is { } g && !_gammas.TryAdd(value, g) && _gammas[value] != g)
        {
            Fail($"'{value.Name}' takes two gammas");
        }

        if (!_rotated.Add(value))
        {
            return;
        }

        if (value.IsGraphOutput)
        {
            Fail($"'{value.Name}' is an output of the model");
        }
        else if (value.Producer is null)
        {
            Fail(value.IsGraphInput ? $"'{value.Name}' is an input of the model" : $"the constant '{value.Name}' is part of the stream");
        }
        else
        {
            Enqueue(value.Producer);
            foreach (var use in value.Uses)
            {
                Enqueue(use.Node);
            }
        }
    }

    /// <summary>Rotates a constant that is added to the stream.</summary>
    public void RotateConstant(Node node, int input)
    {
        var use = new ConstantUse(node, input);
        if (use.Value.Constant is not { } tensor || tensor.Rank == 0 || tensor.Sizes[^1] != width || !FloatElements.Has(tensor.Type))
        {
            Fail($"'{use.Value.Name}', which {node.DisplayName} adds to the stream, is no constant with {width} numbers in its last dimension");
            return;
        }

        Tables.Add(use);
    }

    /// <summary>Gives up.</summary>
    public void Fail(string reason) => Failure ??= reason;

    private void Enqueue(Node node)
    {
        if (_queued.Add(node))
        {
            _nodes.Enqueue(node);
        }
    }
}
