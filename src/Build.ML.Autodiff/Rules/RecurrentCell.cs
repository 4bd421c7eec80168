using Build.ML.Graph.Ir;

namespace Build.ML.Autodiff.Rules;

/// <summary>One step of a recurrent operator in one direction, as ONNX defines them; what the input contributes is there already, with the biases.</summary>
internal sealed class RecurrentCell(Forward n, GraphOps op, long hidden, string[] functions)
{
    /// <summary>[gates·hidden, hidden].</summary>
    public required Value Recurrence { get; init; }

    /// <summary>[2·gates·hidden]: of the input, of the state.</summary>
    public Value? Bias { get; init; }

    /// <summary>[3·hidden], of input, output and forget gate (LSTM).</summary>
    public Value? Peepholes { get; init; }

    private bool ResetsAfterProduct => n.Int("linear_before_reset", 0) != 0;

    /// <summary>What is added to the input's product: both biases, but for the state's of a GRU's candidate that is reset.</summary>
    public Value? InputBias(int gates)
    {
        if (Bias is null)
        {
            return null;
        }

        var halves = op.Split(Bias, 0, gates * hidden, gates * hidden);
        return op.Add(halves[0], gates == 3 && ResetsAfterProduct ? op.Pad(op.Slice(halves[1], [0], [0], [2 * hidden]), 0, hidden) : halves[1]);
    }

    /// <summary>Gates in the order input, output, forget, cell.</summary>
    public (Value H, Value C) Lstm(Value x, Value h, Value c)
    {
        var gates = op.Split(op.Add(x, op.MatMul(h, Recurrence, false, true)), 1, hidden, hidden, hidden, hidden);
        var peepholes = Peepholes is null ? null : op.Split(Peepholes, 0, hidden, hidden, hidden);
        Value Peeking(int gate, Value state) => peepholes is null ? gates[gate] : op.Add(gates[gate], op.Mul(peepholes[gate], state));
        var input = Act(0, Peeking(0, c));
        var forget = n.Int("input_forget", 0) != 0 ? op.Sub(1, input) : Act(0, Peeking(2, c));
        var cell = op.Add(op.Mul(forget, c), op.Mul(input, Act(1, gates[3])));
        return (op.Mul(Act(0, Peeking(1, cell)), functions[2] == "Tanh" ? op.Tanh(cell) : op.Unary(functions[2], cell)), cell);
    }

    /// <summary>Gates in the order update, reset, hidden.</summary>
    public Value Gru(Value x, Value h)
    {
        Value candidate, update;
        if (ResetsAfterProduct)
        {
            var ofState = op.MatMul(h, Recurrence, false, true);
            if (Bias is not null)
            {
                ofState = op.Add(ofState, op.Pad(op.Slice(Bias, [0], [5 * hidden], [6 * hidden]), 2 * hidden, 0));
            }

            var (xs, hs) = (op.Split(x, 1, hidden, hidden, hidden), op.Split(ofState, 1, hidden, hidden, hidden));
            update = Act(0, op.Add(xs[0], hs[0]));
            candidate = Act(1, op.Add(xs[2], op.Mul(Act(0, op.Add(xs[1], hs[1])), hs[2])));
        }
        else
        {
            var (xs, rs) = (op.Split(x, 1, 2 * hidden, hidden), op.Split(Recurrence, 0, 2 * hidden, hidden));
            var gates = op.Split(Act(0, op.Add(xs[0], op.MatMul(h, rs[0], false, true))), 1, hidden, hidden);
            update = gates[0];
            candidate = Act(1, op.Add(xs[1], op.MatMul(op.Mul(gates[1], h), rs[1], false, true)));
        }

        return op.Add(candidate, op.Mul(update, op.Sub(h, candidate)));
    }

    /// <summary>f(x + R·h).</summary>
    public Value Simple(Value x, Value h) => Act(0, op.Add(x, op.MatMul(h, Recurrence, false, true)));

    private Value Act(int function, Value x)
    {
        var clip = n.Float("clip", 0);
        return op.Unary(functions[function], clip > 0 ? op.Clip(x, -clip, clip) : x);
    }
}
