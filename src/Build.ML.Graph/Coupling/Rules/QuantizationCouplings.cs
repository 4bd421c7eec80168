using Build.ML.Graph.Shapes;

namespace Build.ML.Graph.Coupling.Rules;

/// <summary>Quantization of values: everything passes; scales and zero points per channel run along their axis.</summary>
[CouplingRules]
sealed class QuantizationCouplings : CouplingRuleTable
{
    public QuantizationCouplings()
    {
        Rule(["QuantizeLinear", "DequantizeLinear"], Linear);
        Rule(["QuantizeLinear", "DequantizeLinear"], Linear, Microsoft);
        Rule("DynamicQuantizeLinear", c =>
        {
            c.Pass();
            c.Set(1);
            c.Set(2);
        });
    }

    private static void Linear(CouplingContext c)
    {
        c.Pass();
        var x = c.Layouts(0);
        for (var i = 1; i < c.InputCount; i++)
        {
            if (!c.HasInput(i))
            {
                continue;
            }

            var scale = c.Layouts(i);
            if (scale.Count == 1 && scale[0].Size != 1)
            {
                c.Unify(x[ShapeFormulas.Axis(c.Node.Int("axis", 1), x.Count)], scale[0]);
                c.Role(i, 0, AxisRole.Parameter);
            }

            for (var k = 0; k < scale.Count && scale.Count == x.Count && scale.Count > 1; k++)
            {
                if (scale[k].Size == x[k].Size)
                {
                    c.Unify(x[k], scale[k]);
                    c.Role(i, k, AxisRole.Parameter);
                }
                else
                {
                    c.Lock(x[k], "has scales for blocks along it");
                    c.Lock(scale[k], "has scales for blocks along it");
                }
            }
        }
    }
}
