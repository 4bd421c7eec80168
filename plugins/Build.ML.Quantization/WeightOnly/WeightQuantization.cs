using System.Collections.Immutable;
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.Selection;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Quantization.Blocks;

namespace Build.ML.Quantization.WeightOnly;

/// <summary>How scales and zero points are found without data.</summary>
public enum WeightMethod
{
    /// <summary>By the extremes of each block, each weight to the nearest code.</summary>
    Rtn,

    /// <summary>Half-quadratic splitting of Σ|w − ŵ|^0.7 (Badri and Shaji 2023); asymmetric only.</summary>
    Hqq,
}

/// <summary>Whether the range of a block is cut.</summary>
public enum WeightClip
{
    /// <summary>The extremes are exact.</summary>
    None,

    /// <summary>The scale that leaves the least squared error, by search.</summary>
    Mse,
}

/// <summary>
/// Stores weights of matrix products, embeddings and convolutions in 2, 3, 4 or 8 bits, block by block, without data. Activations stay real numbers. Read and written one layer at a time: memory
/// follows the largest layer.
/// </summary>
[Technique("quantize.weights")]
[Description("Stores weights in 2, 3, 4 or 8 bits, block by block, without calibration data; activations stay as they are.")]
public sealed class WeightQuantization : Technique<WeightQuantization.Options>
{
    /// <summary>Options of <c>quantize.weights</c>.</summary>
    public sealed record Options : UniformBitsOptions
    {
        /// <summary>How scales and zero points are found. Default <c>rtn</c>; <c>hqq</c> needs <c>symmetric: false</c>.</summary>
        public WeightMethod Method { get; init; } = WeightMethod.Rtn;

        /// <summary>Whether the range of a block is cut where that lessens its squared error. Default <c>none</c>; of <c>method: rtn</c> only.</summary>
        public WeightClip Clip { get; init; } = WeightClip.None;

        /// <summary>Whether look-ups of embeddings are quantized too. Default true.</summary>
        public bool Embeddings { get; init; } = true;

        /// <inheritdoc/>
        public override IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
        {
            foreach (var result in base.Validate(validationContext))
            {
                yield return result;
            }

            if (Method == WeightMethod.Hqq && Symmetric)
            {
                yield return new("method: hqq optimizes zero points, which symmetric codes do not have: set symmetric: false.", [nameof(Method), nameof(Symmetric)]);
            }

            if (Method == WeightMethod.Hqq && Clip != WeightClip.None)
            {
                yield return new("method: hqq finds scales itself: remove clip.", [nameof(Method), nameof(Clip)]);
            }
        }
    }

    /// <inheritdoc/>
    public override StepResult Apply(Model model, Options options, StepContext context)
    {
        OpTypeCheck.Require(options.OpTypes, WeightLayers.AllOpTypes);
        var selection = new LayerSelection(model, options.OpTypes, options.Include, options.Exclude);
        var found = WeightLayers.Find(model, selection, [.. WeightLayers.AllOpTypes.Where(o => options.Embeddings || o != "Gather")]);
        var writer = new BlockWriter(model, options, context);
        var rounding = new BlockRounding(Solver(options), context.Threads);
        var layers = ImmutableArray.CreateBuilder<LayerOutcome>();
        for (var i = 0; i < found.Layers.Length; i++)
        {
            context.Cancellation.ThrowIfCancellationRequested();
            context.Progress.Report(new((double)i / found.Layers.Length, "quantizing"));
            var layer = found.Layers[i];
            var format = layer.Adapt(options.Format);
            if (writer.Obstacle(layer, format) is { } obstacle)
            {
                layers.AddRange(layer.Readers.Select(r => new LeftLayer(r.Node, obstacle).Outcome));
                continue;
            }

            var (matrix, error) = rounding.Quantize(layer, format, context.Cancellation);
            layers.Add(writer.Write(layer, matrix, error.SqnrDecibels));
        }

        layers.AddRange(found.Left.Select(l => l.Outcome));
        writer.RequireAny(layers);
        return new StepResult(model) { Layers = layers.ToImmutable(), Notes = writer.Notes };
    }

    private static BlockSolver Solver(Options options) => (options.Method, options.Clip) switch
    {
        (WeightMethod.Hqq, _) => new HalfQuadratic(),
        (_, WeightClip.Mse) => new MseClipping(),
        _ => new RoundToNearest(),
    };
}
