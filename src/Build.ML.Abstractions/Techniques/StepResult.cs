using System.Collections.Immutable;
using Build.ML.Graph;

namespace Build.ML.Abstractions.Techniques;

/// <summary>What a technique did to one layer, for the report.</summary>
/// <param name="Layer">Name of the node or weight.</param>
/// <param name="OpType">Operator.</param>
/// <param name="Outcome">One word: <c>quantized</c>, <c>pruned</c>, <c>left</c>, …</param>
/// <param name="Reason">Why it was left or treated differently; empty when there is nothing to say.</param>
/// <param name="Figures">Named figures such as <c>bits</c>, <c>sqnr_db</c>, <c>sparsity</c>, in the order to show.</param>
public sealed record LayerOutcome(
    string Layer, string OpType, string Outcome, string Reason, ImmutableArray<KeyValuePair<string, double>> Figures)
{
    /// <summary>Kernel that the runtime chose for the layer, such as <c>MatMulNBits</c> or <c>QLinearConv</c>; empty where that is not known (the engine asks the runtime).</summary>
    public string Kernel { get; init; } = "";
}

/// <summary>What a technique yields.</summary>
/// <param name="Model">The new model; may be the one given.</param>
public sealed record StepResult(Model Model)
{
    /// <summary>What happened layer by layer; empty where that makes no sense.</summary>
    public ImmutableArray<LayerOutcome> Layers { get; init; } = [];

    /// <summary>Sentences for the report, such as what the runtime will not make faster.</summary>
    public ImmutableArray<string> Notes { get; init; } = [];
}
