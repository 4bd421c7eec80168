using Build.ML.Graph.Ir;

namespace Build.ML.Autodiff.Tests.Cases;

[GradientCases]
public sealed class RecurrentCases : GradientCaseTable
{
    const long Steps = 4, Batch = 2, Width = 3, Hidden = 2;

    public RecurrentCases()
    {
        foreach (var (opType, gates) in new[] { ("LSTM", 4L), ("GRU", 3L), ("RNN", 1L) })
        {
            var outputs = gates == 4 ? 3 : 2;
            NodeAttribute hidden = NodeAttribute.Int("hidden_size", Hidden);
            Case(opType, r => new([r.Normal(Steps, Batch, Width), r.Normal(1, gates * Hidden, Width), r.Normal(1, gates * Hidden, Hidden)], hidden) { Outputs = outputs }, "plain");
            foreach (var direction in new[] { "reverse", "bidirectional" })
            {
                var d = direction == "bidirectional" ? 2 : 1;
                Case(opType, r => new(
                    [
                        r.Normal(Steps, Batch, Width), r.Normal(d, gates * Hidden, Width), r.Normal(d, gates * Hidden, Hidden), r.Normal(d, 2 * gates * Hidden), null,
                        r.Normal(d, Batch, Hidden), .. gates == 4 ? [r.Normal(d, Batch, Hidden)] : (Graph.Tensors.Tensor[])[],
                    ],
                    hidden, NodeAttribute.String("direction", direction))
                { Outputs = outputs }, direction + ", biases and states");
            }
        }
        Case("LSTM", r => new(
            [r.Normal(Steps, Batch, Width), r.Normal(1, 4 * Hidden, Width), r.Normal(1, 4 * Hidden, Hidden), r.Normal(1, 8 * Hidden), null, null, null, r.Normal(1, 3 * Hidden)],
            NodeAttribute.Int("hidden_size", Hidden)), "peepholes");
        Case("GRU", r => new(
            [r.Normal(Steps, Batch, Width), r.Normal(1, 3 * Hidden, Width), r.Normal(1, 3 * Hidden, Hidden), r.Normal(1, 6 * Hidden)],
            NodeAttribute.Int("hidden_size", Hidden), NodeAttribute.Int("linear_before_reset", 1)), "reset after the product");
    }
}
