using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Pruning.Calibrated;

namespace Build.ML.Pruning.SparseGpt;

/// <summary>
/// Sets weights to 0 so that layers' outputs change least on calibration data, and lets the weights that stay make up for those that go (SparseGPT, Frantar and Alistarh 2023, "Massive Language
/// Models Can Be Accurately Pruned in One-Shot", arXiv 2301.00774). Biases stay.
/// </summary>
[Technique("prune.sparsegpt")]
[Description("Sets weights to zero so that layers' outputs change least, the others make up for them (SparseGPT).")]
public sealed class SparseGptPruning : Technique<SparseGptPruning.Options>
{
    /// <summary>Options of <c>prune.sparsegpt</c>.</summary>
    public sealed record Options : CalibratedPruningOptions
    {
        /// <summary>What is added to the diagonal of a Hessian, over its mean: more is safer and lets other weights make up for less. Raised tenfold where factoring fails. Default 0.01.</summary>
        [Range(0d, 1d)]
        public double Dampening { get; init; } = 0.01;

        /// <summary>Columns whose zeros are chosen together, all rows at once: 8 to 128, a multiple of 8. Default 128. Not used with <c>pattern</c>.</summary>
        [Range(8, 128)]
        public int BlockSize { get; init; } = 128;

        /// <inheritdoc/>
        public override IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
        {
            foreach (var result in base.Validate(validationContext))
            {
                yield return result;
            }

            if (BlockSize % 8 != 0)
            {
                yield return new($"'block_size' is {BlockSize}, expected a multiple of 8.", [nameof(BlockSize)]);
            }
        }
    }

    /// <inheritdoc/>
    public override StepResult Apply(Model model, Options options, StepContext context) =>
        new LayerwisePruning(options, new SparseGptPruner(options.Dampening, options.BlockSize), context).Apply(model);
}
