using Build.ML.Graph.Ir;

namespace Build.ML.Autodiff.Rules;

/// <summary>
/// LSTM (Hochreiter and Schmidhuber, 1997), GRU (Cho et al., 2014) and simple recurrent nets, unrolled in training: the inputs of all steps in one product, then step by step. Up to
/// <see cref="MostSteps"/> steps, each a dozen nodes.
/// </summary>
[Gradients]
public sealed class RecurrentForms : GradientTable
{
    private const long MostSteps = 64;

    /// <summary>Names the forms.</summary>
    public RecurrentForms()
    {
        Form("LSTM", (n, op) => Unroll(n, op, 4, ["Sigmoid", "Tanh", "Tanh"]));
        Form("GRU", (n, op) => Unroll(n, op, 3, ["Sigmoid", "Tanh"]));
        Form("RNN", (n, op) => Unroll(n, op, 1, ["Tanh"]));
    }

    private static Value?[] Unroll(Forward n, GraphOps op, int gates, string[] functions)
    {
        var x = n.X.Sizes();
        var (steps, batch, hidden) = (x[0], x[1], n.Input(2).Size(2));
        if (steps > MostSteps || n.Int("layout", 0) != 0 || (n.Has(4) && !All(n.Input(4), steps)))
        {
            throw n.NotDifferentiable(
                steps > MostSteps ? $"over {steps} steps (at most {MostSteps} are unrolled; shorten the sequence)"
                : n.Int("layout", 0) != 0 ? "with layout 1" : "with sequence_lens other than the number of steps");
        }

        var direction = n.String("direction", "forward");
        var directions = direction == "bidirectional" ? 2 : 1;
        var named = n.Node.Attribute("activations")?.Value is System.Collections.Immutable.ImmutableArray<string> given && given.Length > 0 ? [.. given]
            : Enumerable.Repeat(functions, directions).SelectMany(f => f).ToArray();
        if (named.FirstOrDefault(f => f is not ("Sigmoid" or "Tanh" or "Relu" or "Softsign" or "Softplus")) is { } unknown)
        {
            throw n.NotDifferentiable($"with the activation {unknown}");
        }

        var results = new List<(Value Y, Value H, Value? C)>();
        for (var d = 0; d < directions; d++)
        {
            Value? Part(int input, params long[] sizes) => n.Has(input) ? op.Reshape(op.Slice(n.Input(input), [0], [d], [d + 1]), sizes) : null;
            var cell = new RecurrentCell(n, op, hidden, named[(d * functions.Length)..((d + 1) * functions.Length)])
            {
                Recurrence = Part(2, gates * hidden, hidden)!,
                Bias = Part(3, 2 * gates * hidden),
                Peepholes = gates == 4 ? Part(7, 3 * hidden) : null,
            };
            var rows = op.MatMul(op.Reshape(n.X, steps * batch, x[2]), Part(1, gates * hidden, x[2])!, false, true);
            if (cell.InputBias(gates) is { } bias)
            {
                rows = op.Add(rows, bias);
            }

            var inputs = op.Split(rows, 0, [.. Enumerable.Repeat(batch, (int)steps)]);
            var h = Part(5, batch, hidden) ?? op.Zeros(batch, hidden);
            var c = gates == 4 ? Part(6, batch, hidden) ?? op.Zeros(batch, hidden) : null;
            var ys = new Value[steps];
            for (var i = 0; i < steps; i++)
            {
                var t = d == 1 || direction == "reverse" ? (int)steps - 1 - i : i;
                (h, c) = gates switch
                {
                    4 => cell.Lstm(inputs[t], h, c!),
                    3 => (cell.Gru(inputs[t], h), null),
                    _ => (cell.Simple(inputs[t], h), null),
                };
                ys[t] = op.Reshape(h, 1, 1, batch, hidden);
            }

            results.Add((op.Concat(0, ys), op.Reshape(h, 1, batch, hidden), c is null ? null : op.Reshape(c, 1, batch, hidden)));
        }

        Value Joined(int axis, Func<(Value Y, Value H, Value? C), Value> of) => op.Concat(axis, results.Select(of).ToArray());
        return [Joined(1, r => r.Y), Joined(0, r => r.H), gates == 4 ? Joined(0, r => r.C!) : null];
    }

    private static bool All(Value lengths, long steps) => lengths.Constant is { } tensor && tensor.ToArray<int>().All(l => l == steps);
}
