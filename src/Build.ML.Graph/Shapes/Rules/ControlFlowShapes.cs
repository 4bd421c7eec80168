namespace Build.ML.Graph.Shapes.Rules;

/// <summary>If, Loop and Scan: types come out of their subgraphs.</summary>
[ShapeRules]
sealed class ControlFlowShapes : ShapeRuleTable
{
    public ControlFlowShapes()
    {
        Rule("If", If);
        Rule("Loop", Loop);
        Rule("Scan", Scan);
    }

    private static void If(ShapeContext c)
    {
        var yes = c.InferSubgraph("then_branch", []);
        var no = c.InferSubgraph("else_branch", []);
        if (yes is null || no is null || yes.Count != no.Count)
        {
            c.Fail("If must have a then_branch and an else_branch with as many outputs");
            return;
        }

        for (var i = 0; i < yes.Count; i++)
        {
            c.Set(i, TypeMerge.Common(yes[i], no[i]));
        }
    }

    /// <summary>Inputs: trip count, condition, carried values. Body: iteration, condition, carried → condition, carried, scanned.</summary>
    private static void Loop(ShapeContext c)
    {
        var carried = Math.Max(0, c.InputCount - 2);
        var inputs = new OnnxType?[carried + 2];
        inputs[0] = new TensorType(DataType.Int64, new Shape());
        inputs[1] = new TensorType(DataType.Bool, new Shape());
        for (var i = 0; i < carried; i++)
        {
            inputs[i + 2] = c.TypeOf(i + 2);
        }

        if (Settle(c, inputs, 2, carried, 1) is not { } outputs)
        {
            c.Fail("Loop must have a body");
            return;
        }

        for (var i = 0; i < carried; i++)
        {
            // A carried value may start as an optional and go on as what the optional holds: then it is either.
            c.Set(i, outputs[i + 1]?.GetType() == inputs[i + 2]?.GetType() ? inputs[i + 2] : null);
        }

        for (var i = carried + 1; i < outputs.Count; i++)
        {
            // One slice per iteration; a condition may end the loop early, so the trip count is no size.
            c.Set(i - 1, outputs[i] is TensorType t ? new TensorType(t.ElementType, t.Shape is { } s ? new Shape([Dimension.Unknown, .. s.Dimensions]) : null) : null);
        }
    }

    private static void Scan(ShapeContext c)
    {
        var scanned = (int)c.Int("num_scan_inputs", 0);
        if (c.Opset < 9)
        {
            for (var i = 0; i < c.OutputCount; i++)
            {
                c.Set(i, null); // version 8 has a batch dimension and sequence lengths; what the model declares stands
            }

            return;
        }

        var carried = c.InputCount - scanned;
        var inputs = new OnnxType?[c.InputCount];
        var length = Dimension.Unknown;
        for (var i = 0; i < c.InputCount; i++)
        {
            inputs[i] = c.TypeOf(i);
            if (i >= carried && inputs[i] is TensorType { Shape: { } shape } tensor)
            {
                var axis = ShapeFormulas.Axis(c.Ints("scan_input_axes")?[i - carried] ?? 0, shape.Rank);
                length = shape[axis].IsKnown || length == default ? shape[axis] : length;
                inputs[i] = tensor with { Shape = new Shape(shape.Dimensions.RemoveAt(axis)) };
            }
        }

        if (Settle(c, inputs, 0, carried, 0) is not { } outputs)
        {
            c.Fail("Scan must have a body");
            return;
        }

        for (var i = 0; i < outputs.Count; i++)
        {
            if (i < carried)
            {
                c.Set(i, inputs[i]);
            }
            else if (outputs[i] is TensorType t)
            {
                var axis = c.Ints("scan_output_axes")?[i - carried] ?? 0;
                c.Set(i, new TensorType(
                    t.ElementType, t.Shape is { } s ? new Shape(s.Dimensions.Insert(ShapeFormulas.Axis(axis, s.Rank + 1), length)) : null));
            }
        }
    }

    /// <summary>
    /// Infers the body, and again with what carried values have in common before and after an iteration, until that no longer changes: each round only
    /// forgets, so it ends.
    /// </summary>
    private static IReadOnlyList<OnnxType?>? Settle(ShapeContext c, OnnxType?[] inputs, int firstInput, int carried, int firstOutput)
    {
        while (true)
        {
            var outputs = c.InferSubgraph("body", inputs);
            if (outputs is null || outputs.Count < firstOutput + carried)
            {
                return null;
            }

            var changed = false;
            for (var i = 0; i < carried; i++)
            {
                var before = inputs[firstInput + i];
                var common = TypeMerge.Common(before, outputs[firstOutput + i]) ?? (before is TensorType t ? new TensorType(t.ElementType) : before);
                changed |= !Equals(common, before);
                inputs[firstInput + i] = common;
            }

            if (!changed)
            {
                return outputs;
            }
        }
    }
}
