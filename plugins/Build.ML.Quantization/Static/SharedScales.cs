namespace Build.ML.Quantization.Static;

/// <summary>
/// Which activations have one scale in common: what merely moves integers has that of what it moves, and the inputs of a Concat have that of its output, so that the integer
/// kernel copies bytes instead of rounding anew (its output needs the range of them all anyway).
/// </summary>
internal sealed class SharedScales
{
    private readonly Dictionary<string, string> _sources = [];
    private readonly Dictionary<string, string> _parents = [];
    private readonly Dictionary<string, List<string>> _groups = [];

    /// <summary>Reads a plan, before anything is written: pairs change who reads what.</summary>
    public SharedScales(QdqPlan plan)
    {
        foreach (var value in plan.Activations())
        {
            var source = value;
            while (plan.ProducerOf(source) is { Form.Output: QdqOutput.SameAsInput } mover)
            {
                source = mover.Node.Inputs[0]!;
            }

            _sources.Add(value.Name, source.Name);
        }

        foreach (var concat in plan.Nodes.Where(n => n.Form.SharesScale && !n.WeightOnly && plan.IsRounded(n.Result)))
        {
            foreach (var input in concat.Form.Activations)
            {
                _parents[Root(_sources[concat.Node.Inputs[input]!.Name])] = Root(_sources[concat.Result.Name]);
            }
        }

        foreach (var source in _sources.Values.Distinct().Order(StringComparer.Ordinal))
        {
            var root = Root(source);
            if (!_groups.TryGetValue(root, out var members))
            {
                _groups.Add(root, members = []);
            }

            members.Add(source);
        }
    }

    /// <summary>The activations whose ranges together make a value's scale, always in the same order.</summary>
    public IReadOnlyList<string> Of(string value) => _groups[Root(_sources[value])];

    private string Root(string value)
    {
        while (_parents.TryGetValue(value, out var parent) && parent != value)
        {
            value = parent;
        }

        return value;
    }
}
