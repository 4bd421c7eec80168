using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Calibration.Hessians;

/// <summary>
/// The true-sequential order: a group's inputs are those that the layers before give as they are by then, changed ones among them (arXiv 2210.17323, §4), so that later
/// layers make up for errors of earlier ones. The model is run once, piece by piece; where errors are to be propagated, the model as it was runs beside it.
/// </summary>
public sealed class SequentialInputs : IDisposable
{
    private readonly StepContext _context;
    private readonly StreamedExecution _run;
    private readonly ExactModel? _exact;

    /// <summary>Begins to run the model.</summary>
    /// <param name="model">The model, before any layer is replaced.</param>
    /// <param name="data">Calibration data.</param>
    /// <param name="withExact">Whether the exact model runs too.</param>
    /// <param name="context">Inference, cores, scratch folder, cancellation.</param>
    public SequentialInputs(Model model, DataSet data, bool withExact, StepContext context)
    {
        _context = context;
        _run = new(model, data, context);
        _exact = withExact ? new(model, data, context) : null;
    }

    /// <summary>The activation of a group, one tensor a batch, and beside it the exact model's where that runs too. To be read before the next group is asked for.</summary>
    /// <param name="group">Groups are asked for in the order of execution, each at most once.</param>
    public IEnumerable<(Tensor Actual, Tensor? Exact)> Of(InputGroup group)
    {
        Skip(group);
        using var exact = _exact?.Activations(group.Activation).GetEnumerator();
        foreach (var activation in _run.Activations(group.Activation))
        {
            _context.Cancellation.ThrowIfCancellationRequested();
            exact?.MoveNext();
            yield return (activation, exact?.Current);
        }
    }

    /// <summary>Passes over a group that was solved before, see <see cref="IHessianSource.Skip"/>.</summary>
    /// <param name="group">The group.</param>
    public void Skip(InputGroup group)
    {
        _run.AdvanceTo(group.First);
        _exact?.AdvanceTo(group.First);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _run.Dispose();
        _exact?.Dispose();
    }

    /// <summary>The model as it was, run to the same places.</summary>
    private sealed class ExactModel : IDisposable
    {
        private readonly Model _model;
        private readonly Dictionary<Node, Node> _nodes = [];
        private readonly StreamedExecution _run;

        public ExactModel(Model model, DataSet data, StepContext context)
        {
            _model = model.Clone();
            foreach (var (node, copy) in model.Graph.Nodes.Zip(_model.Graph.Nodes))
            {
                _nodes.Add(node, copy);
            }

            _run = new(_model, data, context);
        }

        public void AdvanceTo(Node node) => _run.AdvanceTo(_nodes[node]);

        public IEnumerable<Tensor> Activations(Value value) => _run.Activations(_model.Graph.Find(value.Name)!);

        public void Dispose()
        {
            _run.Dispose();
            _model.Dispose();
        }
    }
}
