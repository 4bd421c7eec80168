using System.Collections.Immutable;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Passes;
using Build.ML.Graph.Tensors;

namespace Build.ML.Autodiff;

/// <summary>
/// Makes a training model of a forward model: a copy with static shapes whose trainable weights are inputs. A loss is built on it with <see cref="Ops"/>; then
/// <see cref="Differentiate"/> appends the gradients by reverse-mode automatic differentiation (Griewank and Walther, Evaluating Derivatives, 2008): one walk over the nodes from the
/// loss to the weights, so that frozen weights cost no backward work.
/// </summary>
public sealed class TrainingModelBuilder
{
    private readonly Model _model;
    private readonly HashSet<Value> _dependent = [];
    private readonly Dictionary<string, Value> _byName = new(StringComparer.Ordinal);
    private readonly List<KeyValuePair<Value, Tensor>> _parameters = [];
    private readonly List<(string Name, Value Statistic, float Momentum)> _states = [];
    private readonly List<RandomInput> _random = [];
    private readonly Dictionary<string, int> _names = new(StringComparer.Ordinal);
    private readonly ImmutableArray<Value> _outputs;

    /// <summary>Copies a model, binds its sizes, makes its trainable weights inputs and gives its nodes their training forms.</summary>
    /// <param name="forward">Not changed; its weights are shared, not copied.</param>
    /// <param name="options">Sizes, what is trained.</param>
    /// <exception cref="DiagnosticException">
    /// BML8103 inputs whose sizes are neither given nor declared, BML8106 an input that is named does not exist, BML8107 nothing is trainable, or the model cannot be upgraded to
    /// operator set 21.
    /// </exception>
    public TrainingModelBuilder(Model forward, TrainingModelOptions options)
    {
        ArgumentNullException.ThrowIfNull(forward);
        ArgumentNullException.ThrowIfNull(options);
        Options = options;
        _model = StaticForward.Of(forward, options, _parameters);
        Ops = new GraphOps(this, _model);
        foreach (var value in _model.Graph.Values)
        {
            _byName[value.Name] = value;
        }

        _outputs = [.. _model.Graph.Outputs];
        foreach (var (parameter, _) in _parameters)
        {
            _dependent.Add(parameter);
        }

        foreach (var node in _model.Graph.Nodes)
        {
            NoteDependence(node);
        }

        ApplyForms();
    }

    /// <summary>The options it was made with.</summary>
    public TrainingModelOptions Options { get; }

    /// <summary>Emits nodes behind the forward model's.</summary>
    public GraphOps Ops { get; }

    /// <summary>The forward model's outputs, in order.</summary>
    public ImmutableArray<Value> Outputs => [.. _outputs.Select(o => _byName[o.Name])];

    /// <summary>The value that has a name in the forward model, whatever has replaced it; null where there is none.</summary>
    /// <param name="name">An input, output or inner value.</param>
    public Value? Find(string name) => _byName.GetValueOrDefault(name);

    /// <summary>Adds an input that is fed at each step, such as labels.</summary>
    /// <param name="name">Made unique where it is taken.</param>
    /// <param name="type">Element type.</param>
    /// <param name="sizes">Sizes.</param>
    public Value AddInput(string name, DataType type, params ReadOnlySpan<long> sizes) =>
        _model.Graph.AddInput(_model.Graph.UniqueName(name), new TensorType(type, Shape.Of(sizes)));

    /// <summary>Appends the gradients of a loss. The builder is used up.</summary>
    /// <param name="loss">A float scalar built with <see cref="Ops"/>.</param>
    /// <param name="alsoReturn">Other values to return, by name: parts of the loss, predictions.</param>
    /// <exception cref="DiagnosticException">BML8102: each node between the loss and a trainable weight whose operator has no gradient; BML8107: no weight leads to the loss.</exception>
    public TrainingModel Differentiate(Value loss, params IEnumerable<KeyValuePair<string, Value>> alsoReturn)
    {
        Check(loss);
        return Complete(loss, new BackwardPass(this, _model.Graph).Run(loss), alsoReturn);
    }

    /// <summary>A model that computes a loss without its gradients, for validation: its parameters are inputs all the same. The builder is used up.</summary>
    /// <param name="loss">A float scalar built with <see cref="Ops"/>.</param>
    /// <param name="alsoReturn">Other values to return, by name: parts of the loss, predictions.</param>
    /// <returns>A model without states, whose parameters have empty names of gradients.</returns>
    public TrainingModel Evaluate(Value loss, params IEnumerable<KeyValuePair<string, Value>> alsoReturn)
    {
        Check(loss);
        return Complete(loss, null, alsoReturn);
    }

    internal static DiagnosticException NothingToTrain() => new(
        "BML8107", "No trainable weight leads to the loss. Weights are trained in float: dequantize the model or choose other weights to train.");

    internal bool Depends(Value value) => _dependent.Contains(value);

    /// <summary>
    /// Float outputs of a node that reads something dependent on a trainable weight depend on it too, and the integers of fake quantization: the gradient passes straight through them.
    /// </summary>
    internal void NoteDependence(Node node)
    {
        var depends = false;
        foreach (var value in node.Reads())
        {
            depends |= _dependent.Contains(value);
        }

        if (!depends)
        {
            return;
        }

        foreach (var output in node.Outputs)
        {
            if (output.ElementType.IsFloat() || output.Type is not TensorType || node.Is("QuantizeLinear"))
            {
                _dependent.Add(output);
            }
        }
    }

    internal string FreshName(string prefix)
    {
        // Counted by prefix: looking for a free name by trial would be quadratic in the thousands of nodes of a backward pass.
        string name;
        do
        {
            var count = _names[prefix] = _names.GetValueOrDefault(prefix) + 1;
            name = $"{prefix}_{count}";
        }
        while (_model.Graph.Find(name) is not null);
        return name;
    }

    internal Value AddRandom(float keepProbability, ReadOnlySpan<long> sizes)
    {
        var input = AddInput("random", DataType.Float, sizes);
        _random.Add(new(input.Name, [.. sizes], keepProbability));
        return input;
    }

    internal void AddState(Value initializer, Value statistic, float momentum)
    {
        if (initializer.Initializer is not null && _states.All(s => s.Name != initializer.Name))
        {
            _states.Add((initializer.Name, statistic, momentum));
        }
    }

    private string Return(string name, Value value)
    {
        var graph = _model.Graph;
        if (value.Producer is null || value.IsGraphOutput || _byName.ContainsKey(value.Name))
        {
            // A node of its own: two outputs may be one value, or an input; and values of the forward model keep their names.
            var copy = graph.Add("Identity", [value], name);
            copy.Type = new TensorType(value.ElementType, value.Shape);
            value = copy;
        }
        else
        {
            graph.Rename(value, graph.UniqueName(name));
        }

        graph.AddOutput(value);
        return value.Name;
    }

    /// <summary>
    /// Moves the nodes that only yield outputs to the end, the one that can run first last. ONNX Runtime orders nodes by a depth-first walk from such nodes, the last in the file first: in
    /// this order each gradient is computed as soon as it can be, and what it is computed from is let go of; in the order they were emitted in, all activations and all gradients of
    /// activations would be held until the end.
    /// </summary>
    private void OrderLeaves()
    {
        var graph = _model.Graph;
        foreach (var leaf in graph.Nodes.Where(n => n.Outputs.All(o => o.Uses.Count == 0)).Reverse().ToArray())
        {
            graph.Detach(leaf);
            graph.InsertBefore(null, leaf);
        }
    }

    private TrainingModel Complete(Value loss, IReadOnlyDictionary<Value, Value>? gradients, IEnumerable<KeyValuePair<string, Value>> alsoReturn)
    {
        ArgumentNullException.ThrowIfNull(alsoReturn);
        var graph = _model.Graph;
        while (graph.Outputs.Count > 0)
        {
            graph.RemoveOutput(graph.Outputs.Count - 1);
        }

        var lossName = Return("loss", Ops.Reshape(loss));
        var parameters = ImmutableArray.CreateBuilder<TrainableParameter>(_parameters.Count);
        foreach (var (parameter, content) in _parameters)
        {
            if (gradients is null)
            {
                parameters.Add(new(parameter.Name, parameter.Name, "", parameter.Sizes())); // those that the loss does not use go below
            }
            else if (gradients.TryGetValue(parameter, out var gradient))
            {
                parameters.Add(new(parameter.Name, parameter.Name, Return("gradient/" + parameter.Name, gradient), parameter.Sizes()));
            }
            else if (!parameter.IsUnused)
            {
                // Read, but with a gradient of zero, as a table of rotary angles: a constant again.
                graph.RemoveInput(parameter);
                graph.SetInitializer(parameter, content);
            }
        }

        var states = gradients is null ? [] : _states.Select(s => new TrainedState(s.Name, Return("state/" + s.Name, s.Statistic), s.Momentum, s.Statistic.Sizes())).ToImmutableArray();
        var extra = alsoReturn.Select(e => KeyValuePair.Create(Return(e.Key, e.Value), new TensorType(e.Value.ElementType, e.Value.Shape))).ToImmutableArray();
        if (parameters.Count == 0)
        {
            throw NothingToTrain();
        }

        new RemoveDeadNodes().Run(_model);
        new RemoveUnusedInitializers().Run(_model);
        OrderLeaves();
        foreach (var input in graph.Inputs.Where(i => i.IsUnused).ToArray())
        {
            graph.RemoveInput(input);
        }

        if (gradients is null)
        {
            parameters.RemoveAll(p => graph.Inputs.All(i => i.Name != p.Input));
        }

        var ours = parameters.Select(p => p.Input).Concat(_random.Select(r => r.Input)).ToHashSet(StringComparer.Ordinal);
        return new TrainingModel
        {
            Model = _model,
            Parameters = parameters.ToImmutable(),
            States = states,
            Random = [.. _random.Where(r => graph.Inputs.Any(i => i.Name == r.Input))],
            Data = [.. graph.Inputs.Where(i => !ours.Contains(i.Name)).Select(i => KeyValuePair.Create(i.Name, (TensorType)i.Type!))],
            Loss = lossName,
            Extra = extra,
        };
    }

    private static void Check(Value loss)
    {
        ArgumentNullException.ThrowIfNull(loss);
        if (loss.Count() != 1 || loss.ElementType != DataType.Float)
        {
            throw new ArgumentException($"A loss is a float scalar; '{loss.Name}' is {loss.Type}.", nameof(loss));
        }
    }

    private void ApplyForms()
    {
        var errors = new List<Diagnostic>();
        foreach (var node in _model.Graph.Nodes.ToArray())
        {
            if (GradientFlow.RuleOf(node) is not null || Options.Rules.FindForm(node.Domain, node.OpType) is not { } form || !node.Reads().Any(_dependent.Contains))
            {
                continue;
            }

            Ops.Before = node;
            try
            {
                if (form(new Forward(this, node, []), Ops) is { } replacements)
                {
                    Replace(node, replacements);
                }
            }
            catch (DiagnosticException e)
            {
                errors.AddRange(e.Diagnostics);
            }
        }

        Ops.Before = null;
        if (errors.Count > 0)
        {
            throw new DiagnosticException(errors);
        }

    }

    private void Replace(Node node, Value?[] replacements)
    {
        for (var i = 0; i < node.Outputs.Count; i++)
        {
            var old = node.Outputs[i];
            if (i < replacements.Length && replacements[i] is { } replacement)
            {
                foreach (var name in _byName.Where(b => b.Value == old).Select(b => b.Key).ToArray())
                {
                    _byName[name] = replacement;
                }

                old.ReplaceUsesWith(replacement);
            }

            while (old.IsGraphOutput)
            {
                _model.Graph.RemoveOutput(_model.Graph.Outputs.ToList().IndexOf(old));
            }
        }

        _model.Graph.Remove(node);
    }
}
