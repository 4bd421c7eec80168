namespace Build.ML.Graph.Shapes.Rules;

/// <summary>Losses, and the optimizers and gradients of ai.onnx.preview.training.</summary>
[ShapeRules]
sealed class TrainingShapes : ShapeRuleTable
{
    private const string Training = "ai.onnx.preview.training";

    public TrainingShapes()
    {
        Rule("SoftmaxCrossEntropyLoss", c =>
        {
            c.Set(0, c.ElementOf(0), Loss(c));
            c.Set(1, c.ElementOf(0), c.ShapeOf(0)); // log probabilities
        });
        Rule("NegativeLogLikelihoodLoss", c => c.Set(0, c.ElementOf(0), Loss(c)));
        // R, T, then n tensors each: X, G, states; outputs: new X, new states.
        Rule("Adagrad", c => Optimizer(c, 3), Training);
        Rule("Momentum", c => Optimizer(c, 3), Training);
        Rule("Adam", c => Optimizer(c, 4), Training);
        Rule("Gradient", c =>
        {
            // One gradient per name in xs, of that input's shape; the first inputs are the xs in order.
            for (var i = 0; i < c.OutputCount; i++)
            {
                c.Set(i, c.ElementOf(i), c.ShapeOf(i));
            }
        }, Training);
    }

    private static Shape? Loss(ShapeContext c) => c.String("reduction", "mean") == "none" ? c.ShapeOf(1) : new Shape();

    private static void Optimizer(ShapeContext c, int groups)
    {
        var count = (c.InputCount - 2) / groups;
        for (var i = 0; i < c.OutputCount && count > 0; i++)
        {
            // Output groups: X, state 1, (state 2); input groups: X, G, state 1, (state 2).
            var input = 2 + i + (i >= count ? count : 0);
            c.Set(i, c.ElementOf(input), c.ShapeOf(input));
        }
    }
}
