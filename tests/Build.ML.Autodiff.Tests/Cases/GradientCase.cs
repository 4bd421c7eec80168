using Build.ML.Graph.Catalogs;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Autodiff.Tests.Cases;

/// <summary>One node to differentiate: its inputs with content, which of them are differentiated, its attributes.</summary>
/// <param name="Inputs">In order; null for one left out.</param>
/// <param name="Attributes">Attributes.</param>
public sealed record GradientCase(Tensor?[] Inputs, params NodeAttribute[] Attributes)
{
    /// <summary>Inputs whose gradients are checked; default: all floats.</summary>
    public int[]? Checked { get; init; }

    /// <summary>Number of outputs; all float ones enter the loss.</summary>
    public int Outputs { get; init; } = 1;

    /// <summary>Whether the gradient is zero: the inputs enter the loss beside the node, so that there is one to compare.</summary>
    public bool IsZero { get; init; }

    /// <summary>Whether the training form must yield what the operator itself yields; not so where training differs, as with a batch's statistics.</summary>
    public bool KeepsValues { get; init; } = true;

    /// <summary>Version of ONNX's operator set.</summary>
    public long Opset { get; init; } = 21;

    /// <summary>Changes how the model is differentiated.</summary>
    public Func<TrainingModelOptions, TrainingModelOptions> Options { get; init; } = o => o;

    /// <summary>Step of the differences, relative to values of about 1.</summary>
    public double Step { get; init; } = 1.0 / 64;

    /// <summary>Allowed difference relative to the largest gradient of the input: what rounding of a float sum and the step's fourth power leave.</summary>
    public double Tolerance { get; init; } = 2e-3;
}

/// <summary>Puts a <see cref="GradientCaseTable"/> into the catalog.</summary>
public sealed class GradientCasesAttribute() : CatalogAttribute(null)
{
    public override Type EntryType => typeof(GradientCaseTable);
}

/// <summary>Random nodes of one family of operators; every operator with a gradient must have some.</summary>
public abstract class GradientCaseTable
{
    internal List<(string Domain, string OpType, string Name, Func<CaseRandom, GradientCase> Make)> Cases { get; } = [];

    /// <summary>Adds a case; several of one operator have names of their own.</summary>
    protected void Case(string opType, Func<CaseRandom, GradientCase> make, string name = "", string domain = "") => Cases.Add((domain, opType, name, make));
}
