using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Numerics;
using Build.ML.Abstractions.Techniques;
using Build.ML.FineTuning.Lora;
using Build.ML.Graph;

namespace Build.ML.FineTuning;

/// <summary>How the frozen base of <c>finetune.qlora</c> is stored.</summary>
public enum FrozenBaseType
{
    /// <summary>4-bit NormalFloat in blocks (MatMulBnb4).</summary>
    Nf4,

    /// <summary>As the model has it: quantized by a step before, such as <c>quantize.weights</c> or <c>quantize.gptq</c> in 4 bits.</summary>
    Keep,
}

/// <summary>
/// QLoRA (Dettmers et al. 2023): low-rank adaptation of a base whose weights are stored in 4 bits; gradients flow through the quantized weights into the adapters, which learn to make good
/// for the rounding. The result is the 4-bit base with its adapters. Constants of blocks are not quantized a second time.
/// </summary>
[Technique("finetune.qlora")]
[Description("Stores the base in 4 bits and trains low-rank adapters beside it.")]
public sealed class QloraFineTuning : Technique<QloraFineTuning.Options>
{
    /// <summary>Options of <c>finetune.qlora</c>.</summary>
    public sealed record Options : AdapterOptions
    {
        /// <summary>How the base is stored. Default <c>nf4</c>.</summary>
        public FrozenBaseType Base { get; init; } = FrozenBaseType.Nf4;

        /// <summary>Weights that share a magnitude in <c>nf4</c>: a power of 2 from 16 to 4096. Default 64.</summary>
        [Range(16, 4096)] public int BlockSize { get; init; } = 64;

        /// <inheritdoc/>
        public override IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
        {
            foreach (var result in base.Validate(validationContext))
            {
                yield return result;
            }

            if (!BitOperations.IsPow2(BlockSize))
            {
                yield return new($"block_size is {BlockSize}, not a power of 2.", [nameof(BlockSize)]);
            }
        }
    }

    /// <inheritdoc/>
    public override StepResult Apply(Model model, Options options, StepContext context)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(context);
        var chosen = AdapterTraining.Choose(model, options);
        var (layers, quantized) = options.Base == FrozenBaseType.Nf4 ? FrozenBase.Quantize(model, chosen.Layers, options.BlockSize, context) : (chosen.Layers, []);
        var (adapters, result) = AdapterTraining.Run(model, layers, options, context);
        return new StepResult(model)
        {
            Layers = [.. AdapterTraining.Outcomes(adapters, options, "adapted"), .. quantized, .. chosen.Left],
            Notes = result.Notes,
        };
    }
}
