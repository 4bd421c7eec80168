using System.Collections.Immutable;
using Build.ML.Calibration;
using Build.ML.Calibration.Statistics;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Pruning.Depth;

/// <summary>
/// Block influence (Men et al. 2024, "ShortGPT: Layers in Large Language Models are More Redundant Than You Expect", arXiv 2403.03853): 1 − the cosine of a block's input and output, in the mean
/// over all positions of the calibration data, 0 to 2. A block that changes little counts little. A position's vector is the last axis, or the channels of an image.
/// </summary>
[BlockImportance("block_influence")]
public sealed record BlockInfluence : BlockImportance
{
    // So that a vector of zeros that stays one has cosine 1.
    private const float Tiny = 1e-30f;

    /// <inheritdoc/>
    /// <exception cref="DiagnosticException">BML5630: the step names no data. What reading the data has to say.</exception>
    public override ImmutableArray<double> Score(BlockImportanceContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        if (context.Data is not { } data)
        {
            throw new DiagnosticException("BML5630", "importance: block_influence compares what enters and what leaves a layer, which needs calibration data, and the step names none. "
                + "Add data: with a few dozen samples; labels are not needed.");
        }

        using var model = context.Model.Clone();
        string[] names = [.. context.Blocks.Select(b => Cosine(model, model.Graph.Find(b.Input.Name)!, model.Graph.Find(b.Output.Name)!).Name)];
        model.Graph.SortTopologically();
        var seen = new CalibrationStage(context.Step).Observe(model, names, data, new ChannelStatistic());
        return [.. names.Select(n => 1 - seen[n].Mean[0])];
    }

    // Σ x·y / √(Σ x² · Σ y²), 1 a position.
    private static Value Cosine(Model model, Value x, Value y)
    {
        var graph = model.Graph;
        var rank = (x.Shape ?? y.Shape)?.Rank ?? 3;
        var axis = rank == 4 ? 1 : rank - 1;
        var tiny = graph.AddInitializer("influence.tiny", Tensor.Scalar(Tiny));
        if (x.ElementType is not (DataType.Float or DataType.Undefined))
        {
            (x, y) = (ToFloat(x), ToFloat(y));
        }

        var norms = graph.Add("Mul", [Norm(x), Norm(y)], "influence.norms");
        var products = graph.Add("Add", [Sum(graph.Add("Mul", [x, y], "influence.products")), tiny], "influence.product");
        var cosine = graph.Add("Div", [products, graph.Add("Add", [norms, tiny], "influence.norm")], "influence.cosine");
        return rank == 4 ? graph.Add("Transpose", [cosine], "influence.cosine", [NodeAttribute.Ints("perm", 0, 2, 3, 1)]) : cosine;

        Value ToFloat(Value value) => graph.Add("Cast", [value], "influence.float", [NodeAttribute.Int("to", (long)DataType.Float)]);

        Value Norm(Value value) => graph.Add("ReduceL2", Operands(value, 18), "influence.norm", Attributes(18));

        Value Sum(Value value) => graph.Add("ReduceSum", Operands(value, 13), "influence.sum", Attributes(13));

        Value[] Operands(Value value, int since) => model.Opset >= since ? [value, graph.AddInitializer("influence.axis", Tensor.Of([(long)axis], 1))] : [value];

        NodeAttribute[] Attributes(int since) => model.Opset >= since ? [NodeAttribute.Int("keepdims", 1)] : [NodeAttribute.Int("keepdims", 1), NodeAttribute.Ints("axes", axis)];
    }
}
