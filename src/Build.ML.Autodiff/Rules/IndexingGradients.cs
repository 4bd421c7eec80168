using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Autodiff.Rules;

/// <summary>Operators that pick elements by index, or put them there. Where an index repeats, gradients add up.</summary>
[Gradients]
public sealed class IndexingGradients : GradientTable
{
    /// <summary>Names the rules.</summary>
    public IndexingGradients()
    {
        Rule("Gather", (n, g, op) =>
        {
            var (axis, x, indices) = (n.Axis("axis", 0), n.X.Sizes(), n.Input(1));
            var parts = op.Reshape(g, [.. x[..axis], indices.Count(), .. x[(axis + 1)..]]);
            return [op.ScatterAdd(parts, axis, x[axis], op.Reshape(indices, indices.Count()))];
        });
        Rule("GatherElements", (n, g, op) => [Scattered(n.X, n.Input(1), g, n.Axis("axis", 0), op)]);
        Rule("GatherND", (n, g, op) => [GatherND(n, g, op)]);
        Rule("ScatterElements", (n, g, op) =>
        {
            var axis = NodeAttribute.Int("axis", n.Axis("axis", 0));
            var overwrites = Overwrites(n);
            return
            [
                !overwrites || !n.Needs(0) ? g : op.Node("ScatterElements", [g, n.Input(1), op.Zeros(n.Input(2).Sizes().AsSpan())], axis),
                null,
                n.Needs(2) ? op.Node("GatherElements", [g, n.Input(1)], axis) : null,
            ];
        });
        Rule("ScatterND", (n, g, op) =>
        [
            !Overwrites(n) || !n.Needs(0) ? g : op.Node("ScatterND", [g, n.Input(1), op.Zeros(n.Input(2).Sizes().AsSpan())]),
            null,
            n.Needs(2) ? op.Node("GatherND", [g, n.Input(1)]) : null,
        ]);
        Rule("TopK", (n, g, op) => [Scattered(n.X, n.Saved(1), g, n.Axis("axis", -1), op)]);
        // Reversing again.
        Rule("ReverseSequence", (n, g, op) =>
        [
            op.Node("ReverseSequence", [g, n.Input(1)], NodeAttribute.Int("batch_axis", n.Int("batch_axis", 1)), NodeAttribute.Int("time_axis", n.Int("time_axis", 0))),
        ]);
        Rule("Trilu", (n, g, op) => [op.Node("Trilu", [g, n.Has(1) ? n.Input(1) : null], NodeAttribute.Int("upper", n.Int("upper", 1)))]);
        Rule("OneHot", (n, g, op) =>
        {
            // Values [off, on]: each takes the gradients of the elements that are it.
            var ones = op.Node("OneHot", [n.X, n.Input(1), op.Constant(Tensor.Of([0f, 1f], 2))], NodeAttribute.Int("axis", n.Int("axis", -1)));
            var on = op.Total(op.Mul(g, ones));
            return [null, null, op.Concat(0, op.Reshape(op.Sub(op.Total(g), on), 1), op.Reshape(on, 1))];
        });
    }

    private static bool Overwrites(Forward n) => n.String("reduction", "none") switch
    {
        "none" => true,
        "add" => false,
        var other => throw n.NotDifferentiable($"with reduction '{other}'"),
    };

    private static Value Scattered(Value like, Value indices, Value parts, int axis, GraphOps op) => op.Node(
        "ScatterElements", [op.Zeros(like.Sizes().AsSpan()), indices, parts], NodeAttribute.Int("axis", axis), NodeAttribute.String("reduction", "add"));

    // Each tuple of indices becomes one index into the indexed axes seen as one, batch axes among them.
    private static Value GatherND(Forward n, Value g, GraphOps op)
    {
        var (x, indices, batches) = (n.X.Sizes(), n.Input(1), (int)n.Int("batch_dims", 0));
        var length = (int)indices.Size(-1);
        var strides = new long[length];
        long indexed = 1;
        for (var i = length - 1; i >= 0; i--)
        {
            strides[i] = indexed;
            indexed *= x[batches + i];
        }

        var batch = StaticSizes.Product(x.AsSpan()[..batches]);
        var fromStart = op.Where(
            op.Compare("Less", indices, op.Scalar(0, DataType.Int64)), op.Add(indices, op.Integers(x.AsSpan().Slice(batches, length))), indices);
        var each = op.Reshape(op.ReduceSum(op.Mul(fromStart, op.Integers(strides)), [-1], keep: false), batch, indices.Count() / length / batch);
        var starts = op.Constant(Tensor.Of([.. Enumerable.Range(0, (int)batch).Select(b => b * indexed)], batch, 1));
        var flat = op.Reshape(op.Add(each, starts), each.Count());
        var rest = StaticSizes.Product(x.AsSpan()[(batches + length)..]);
        return op.Reshape(op.ScatterAdd(op.Reshape(g, each.Count(), rest), 0, batch * indexed, flat), x.AsSpan());
    }
}
