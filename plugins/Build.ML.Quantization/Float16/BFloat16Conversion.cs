using System.Collections.Immutable;
using System.ComponentModel;
using Build.ML.Abstractions.Selection;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Quantization.Float16;

/// <summary>
/// Stores float weights as bfloat16, the range of binary32 with 8 bits of precision, and casts them to float before use. Halves the file. ONNX Runtime's CPU has no bfloat16 kernels but that Cast,
/// which it computes once on loading: everything runs as before, in single precision, with weights rounded to 1 part in 256.
/// </summary>
[Technique("quantize.bf16")]
[Description("Stores weights as bfloat16 and casts them to float before use; half the bytes.")]
public sealed class BFloat16Conversion : Technique<BFloat16Conversion.Options>
{
    /// <summary>Options of <c>quantize.bf16</c>.</summary>
    public sealed record Options
    {
        /// <summary>Globs over names of nodes, outputs and weights; weights that such a node reads stay float. Default none.</summary>
        public ImmutableArray<string> Exclude { get; init; } = [];
    }

    /// <inheritdoc/>
    public override StepResult Apply(Model model, Options options, StepContext context)
    {
        OpsetCheck.Require(model, 13, "Cast of bfloat16");
        var outcomes = ImmutableArray.CreateBuilder<LayerOutcome>();
        CastWeights.Store(model.Graph, new LayerSelection(model, [], [], options.Exclude), Convert);
        return outcomes.Count > 0
            ? new StepResult(model)
            {
                Layers = outcomes.ToImmutable(),
                Notes = ["ONNX Runtime's CPU restores the weights to single precision on loading: bfloat16 saves bytes of the file here, neither time nor memory."],
            }
            : throw new DiagnosticException("BML5406", "The model holds no float weight that could be stored as bfloat16. Remove the step.");

        Value Convert(Value constant)
        {
            var tensor = constant.Constant!;
            outcomes.Add(new(constant.Name, "initializer", "quantized", "", [new("bits", 16)]));
            return constant.Graph.AddInitializer(
                constant.Name + "_bfloat16", new Tensor(DataType.BFloat16, tensor.Sizes.AsSpan(), new BFloat16Content(tensor)));
        }
    }
}
