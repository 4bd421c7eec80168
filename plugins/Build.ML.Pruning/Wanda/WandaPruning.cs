using System.ComponentModel;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Pruning.Calibrated;

namespace Build.ML.Pruning.Wanda;

/// <summary>
/// Sets the weights of least |w|·‖x‖₂ to 0, where x is what a weight is multiplied by on calibration data, compared within each output's row (Wanda, Sun et al. 2023, "A Simple and Effective Pruning
/// Approach for Large Language Models", arXiv 2306.11695). Other weights and biases stay as they are.
/// </summary>
[Technique("prune.wanda")]
[Description("Sets the weights of least magnitude times activation norm to zero, output by output (Wanda).")]
public sealed class WandaPruning : Technique<WandaPruning.Options>
{
    /// <summary>Options of <c>prune.wanda</c>.</summary>
    public sealed record Options : CalibratedPruningOptions;

    /// <inheritdoc/>
    public override StepResult Apply(Model model, Options options, StepContext context) => new LayerwisePruning(options, new WandaPruner(), context).Apply(model);
}
