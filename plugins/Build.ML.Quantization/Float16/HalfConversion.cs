using System.Collections.Immutable;
using System.ComponentModel;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Quantization.Float16;

/// <summary>
/// Stores weights as IEEE binary16 and, unless <c>weights_only</c>, lets operators take and yield halves. Halves the file. ONNX Runtime's CPU kernels compute in single precision
/// all the same and convert on the way, so there is no time to be gained there; hardware with half-precision kernels gains.
/// </summary>
[Technique("quantize.fp16")]
[Description("Stores weights as 16-bit floating point; half the bytes.")]
public sealed class HalfConversion : Technique<HalfConversion.Options>
{
    /// <summary>Options of <c>quantize.fp16</c>.</summary>
    public sealed record Options
    {
        /// <summary>Whether only weights are stored as halves and cast to float before use, so that all is computed as before. Default false.</summary>
        public bool WeightsOnly { get; init; }

        /// <summary>Whether inputs and outputs of the model stay float, with casts behind and before them. Default true.</summary>
        public bool KeepIoTypes { get; init; } = true;

        /// <summary>Operators that stay float besides those that know no halves or lose their sense in them. Default none.</summary>
        public ImmutableArray<string> OpBlockList { get; init; } = [];

        /// <summary>Globs over names of nodes, outputs and weights; nodes that fit one stay float. Default none.</summary>
        public ImmutableArray<string> Exclude { get; init; } = [];
    }

    /// <inheritdoc/>
    public override StepResult Apply(Model model, Options options, StepContext context)
    {
        var selection = new Abstractions.Selection.LayerSelection(model, [], [], options.Exclude);
        var outcomes = ImmutableArray.CreateBuilder<LayerOutcome>();
        var constants = new HalfConstants(outcomes);
        if (options.WeightsOnly)
        {
            OpsetCheck.Require(model, 6, "Cast to float16");
            CastWeights.Store(model.Graph, selection, constants.Of);
        }
        else
        {
            OpsetCheck.Require(model, 10, "a model in float16");
            new HalfGraph(model, options, selection, constants).Convert(context.Cancellation);
            CastWeights.StoreInner(model.Graph, selection, constants.Of); // branches and bodies go on computing in floats
        }

        return outcomes.Count > 0
            ? new StepResult(model)
            {
                Layers = outcomes.ToImmutable(),
                Notes = ["ONNX Runtime's CPU kernels compute in single precision: float16 saves bytes here, not time."],
            }
            : throw new DiagnosticException("BML5406", "The model holds no float weight that could be stored as float16. Remove the step.");
    }
}
