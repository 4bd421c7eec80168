using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Passes.Opsets;

/// <summary>Attributes that became inputs.</summary>
[OpsetConversions]
sealed class AttributesToInputs : OpsetConversionTable
{
    public AttributesToInputs()
    {
        Since(5, ["Reshape"], c => c.IntsToInput("shape", 1));
        Since(9, ["Upsample"], c =>
        {
            if (c.Node.Floats("scales") is { IsDefault: false } scales)
            {
                c.SetConstant(1, "scales", Tensor.Of(scales.ToArray(), scales.Length));
                c.Node.RemoveAttribute("scales");
            }
        });
        Since(10, ["Slice"], c =>
        {
            c.IntsToInput("starts", 1);
            c.IntsToInput("ends", 2);
            c.IntsToInput("axes", 3);
        });
        Since(10, ["TopK"], c =>
        {
            c.SetConstant(1, "k", Tensor.Of([c.Node.Int("k", 1)], 1));
            c.Node.RemoveAttribute("k");
        });
        Since(11, ["Clip"], Clip);
        Since(11, ["Pad"], c =>
        {
            c.IntsToInput("pads", 1);
            ScalarToInput(c, "value", 2, c.Node.Float("value", 0) != 0);
        });
        Since(12, ["Dropout"], c => ScalarToInput(c, "ratio", 1, c.Node.Attribute("ratio") is not null));
        Since(13, ["Squeeze", "Unsqueeze", "ReduceSum"], c => c.IntsToInput("axes", 1));
        Since(13, ["Split"], c => c.IntsToInput("split", 1));
        Since(
            18,
            ["ReduceMax", "ReduceMin", "ReduceMean", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare"],
            c => c.IntsToInput("axes", 1));
        Since(20, ["DFT"], c =>
        {
            c.SetConstant(2, "axis", Tensor.Scalar(c.Node.Int("axis", 1)));
            c.Node.RemoveAttribute("axis");
        });
    }

    private static void Clip(OpsetConversionContext c)
    {
        ScalarToInput(c, "min", 1, c.Node.Attribute("min") is not null);
        ScalarToInput(c, "max", 2, c.Node.Attribute("max") is not null);
    }

    /// <summary>A float attribute becomes a scalar of the first input's element type, where it is needed.</summary>
    private static void ScalarToInput(OpsetConversionContext c, string attribute, int input, bool isNeeded)
    {
        var value = c.Node.Float(attribute, 0);
        c.Node.RemoveAttribute(attribute);
        if (!isNeeded)
        {
            return;
        }

        var element = attribute == "ratio" ? DataType.Float : c.ElementOf(0);
        switch (element)
        {
            case DataType.Float or DataType.Undefined:
                c.SetConstant(input, attribute, Tensor.Scalar(value));
                break;
            case DataType.Double:
                c.SetConstant(input, attribute, Tensor.Scalar((double)value));
                break;
            case DataType.Float16:
                c.SetConstant(input, attribute, Tensor.Scalar((Half)value));
                break;
            default:
                c.Refuse($"{attribute} cannot be written as {element.OnnxName()}");
                break;
        }
    }
}
