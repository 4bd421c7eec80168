using Build.ML.Graph.Ir;

namespace Build.ML.Autodiff.Rules;

/// <summary>
/// The losses that ONNX has, over scores [N, C, …] and labels [N, …] with optional class weights [C]: the loss of an element is −w·log p at its label; the mean divides by the sum of the
/// weights; elements whose label is ignore_index count for nothing.
/// </summary>
[Gradients]
public sealed class CrossEntropyGradients : GradientTable
{
    /// <summary>Names the rules.</summary>
    public CrossEntropyGradients()
    {
        Rule("SoftmaxCrossEntropyLoss", (n, g, op) =>
        {
            // d/dscores of −s·log softmax at the label: s·(softmax − onehot). The log probabilities are saved by the forward pass.
            var probabilities = op.Exp(n.Saved(1));
            var (labels, scale) = Scale(n, g, op);
            var scores = Add(op.Mul(probabilities, scale), labels, op.Neg(scale), op);
            return [n.Gradient(1) is { } ofLog ? op.Add(scores, op.Sub(ofLog, op.Mul(probabilities, op.ReduceSum(ofLog, [1])))) : scores];
        });
        Rule("NegativeLogLikelihoodLoss", (n, g, op) =>
        {
            var (labels, scale) = Scale(n, g, op);
            return [Add(op.Zeros(n.X.Sizes().AsSpan()), labels, op.Neg(scale), op)];
        });
    }

    // Labels [N, 1, …] that are valid indices, and dL/d(−log p) [N, 1, …] at them.
    private static (Value Labels, Value Scale) Scale(Forward n, Value g, GraphOps op)
    {
        var sizes = n.Input(1).Sizes();
        var type = n.Input(1).ElementType;
        var labels = op.Reshape(n.Input(1), [sizes[0], 1, .. sizes[1..]]);
        Value? weights = null;
        if (n.Node.Attribute("ignore_index") is not null)
        {
            var ignored = op.Compare("Equal", labels, op.Scalar(n.Int("ignore_index", 0), type));
            labels = op.Where(ignored, op.Scalar(0, type), labels);
            weights = op.Sub(1, op.Cast(ignored, n.X.ElementType));
        }

        if (n.Has(2))
        {
            var ofClass = op.Node("Gather", [n.Input(2), labels]);
            weights = weights is null ? ofClass : op.Mul(weights, ofClass);
        }

        switch (n.String("reduction", "mean"))
        {
            case "none":
                var each = op.Reshape(g, labels.Sizes().AsSpan());
                return (labels, weights is null ? each : op.Mul(each, weights));
            case "sum":
                return (labels, weights is null ? op.Expand(g, labels.Sizes().AsSpan()) : op.Mul(g, weights));
            default:
                return (labels, weights is null ? op.Expand(op.Div(g, labels.Count()), labels.Sizes().AsSpan()) : op.Mul(op.Div(g, op.Total(weights)), weights));
        }
    }

    private static Value Add(Value to, Value labels, Value parts, GraphOps op) =>
        op.Node("ScatterElements", [to, labels, parts], NodeAttribute.Int("axis", 1), NodeAttribute.String("reduction", "add"));
}
