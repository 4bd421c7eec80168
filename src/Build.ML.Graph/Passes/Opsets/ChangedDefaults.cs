using Build.ML.Graph.Ir;

namespace Build.ML.Graph.Passes.Opsets;

/// <summary>Defaults and names that changed while the operator can still say what it meant.</summary>
[OpsetConversions]
sealed class ChangedDefaults : OpsetConversionTable
{
    public ChangedDefaults()
    {
        Since(4, ["Concat"], c => KeepDefault(c, NodeAttribute.Int("axis", 1)));
        Since(6, ["Cast"], c =>
        {
            var name = c.Node.String("to", "");
            if (Enum.TryParse<DataType>(name, ignoreCase: true, out var type))
            {
                c.Node.SetAttribute(NodeAttribute.Int("to", (long)type));
            }
        });
        Since(
            6,
            [
                "Abs", "Add", "Sub", "Mul", "Div", "BatchNormalization", "Ceil", "Clip", "Dropout", "Elu", "Exp", "Floor", "HardSigmoid", "InstanceNormalization",
                "LeakyRelu", "Log", "Max", "Mean", "Min", "Neg", "PRelu", "Reciprocal", "Relu", "Selu", "Sigmoid", "Sqrt", "Sum", "Tanh",
            ],
            c => c.Node.RemoveAttribute("consumed_inputs"));
        Since(7, ["Dropout"], c =>
        {
            if (c.Node.Int("is_test", 0) == 0)
            {
                c.Refuse("it is in training mode (is_test = 0)");
            }

            c.Node.RemoveAttribute("is_test");
        });
        Since(7, ["Gemm"], c => c.Node.RemoveAttribute("broadcast"));
        Since(16, ["RoiAlign"], c => KeepDefault(c, NodeAttribute.String("coordinate_transformation_mode", "output_half_pixel")));
        Since(18, ["Split"], c =>
        {
            if (c.Node.Input(1) is null)
            {
                c.Node.SetAttribute(NodeAttribute.Int("num_outputs", c.Node.Outputs.Count));
            }
        });
        Since(20, ["GridSample"], c =>
        {
            var mode = c.Node.String("mode", "bilinear");
            c.Node.SetAttribute(NodeAttribute.String("mode", mode switch { "bilinear" => "linear", "bicubic" => "cubic", _ => mode }));
        });
        Since(10, ["Dropout"], c =>
        {
            if (c.Node.Outputs.Count > 1 && !c.Node.Outputs[1].IsUnused)
            {
                c.Refuse("its mask, which became bool, is used");
            }
        });
        Since(11, ["Scatter"], c => c.Node.OpType = "ScatterElements");
        Since(9, ["Scan"], c => c.Refuse("its batch dimension was removed"));
        Since(21, ["GroupNormalization"], c => c.Refuse("its scale and bias went from one per group to one per channel"));
    }

    private static void KeepDefault(OpsetConversionContext c, NodeAttribute attribute)
    {
        if (c.Node.Attribute(attribute.Name) is null)
        {
            c.Node.SetAttribute(attribute);
        }
    }
}
