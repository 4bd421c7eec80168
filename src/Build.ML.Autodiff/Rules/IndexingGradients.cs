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
    }
}
