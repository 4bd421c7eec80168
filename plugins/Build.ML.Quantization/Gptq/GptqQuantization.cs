using System.Collections.Immutable;
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Selection;
using Build.ML.Abstractions.Techniques;
using Build.ML.Calibration;
using Build.ML.Calibration.Hessians;
using Build.ML.Graph;
using Build.ML.Graph.Passes;
using Build.ML.Quantization.Blocks;
using Build.ML.Quantization.WeightOnly;

namespace Build.ML.Quantization.Gptq;

/// <summary>
/// Stores weights in 2, 3, 4 or 8 bits, rounded one column after the other so that the columns left make up for what rounding did to the layer's output on calibration data
/// (GPTQ, Frantar et al. 2022, arXiv 2210.17323). One layer's Hessian is in memory at a time, solved layers are files: a step that was killed goes on at the layer where it was.
/// </summary>
[Technique("quantize.gptq")]
[Description("Stores weights in 2, 3, 4 or 8 bits, rounded so that layers' outputs change least on calibration data (GPTQ).")]
public sealed class GptqQuantization : Technique<GptqQuantization.Options>
{
    /// <summary>Options of <c>quantize.gptq</c>.</summary>
    public sealed record Options : UniformBitsOptions
    {
        /// <summary>Calibration data: inputs such as the model will meet; labels are not used. 128 samples of full length are usual for language models, 200 images for others.</summary>
        [Required]
        public required DataReference Data { get; init; }

        /// <summary>Samples of the data to use, the first ones. Default 0: all.</summary>
        [Range(0, int.MaxValue)]
        public int Samples { get; init; }

        /// <summary>What is added to the diagonal of a Hessian, over its mean: more is safer and nearer to rounding to nearest. Raised tenfold where factoring fails. Default 0.01.</summary>
        [Range(0d, 1d)]
        public double Dampening { get; init; } = 0.01;

        /// <summary>Whether columns with the largest activations are rounded first. Scales stay those of the original blocks, so that nothing is permuted at run time. Default true.</summary>
        public bool ActOrder { get; init; } = true;

        /// <summary>Whether the range of a block is cut where that lessens its squared error. Default <c>mse</c>, which gains at 4 bits and much at 2; <c>none</c> is faster.</summary>
        public WeightClip Clip { get; init; } = WeightClip.Mse;

        /// <summary>
        /// Whether each layer is calibrated on what the layers before it give once they are quantized. Default true; false calibrates all on the unchanged model, whose Hessians are
        /// kept in the cache for other steps.
        /// </summary>
        public bool Sequential { get; init; } = true;

        /// <summary>
        /// How far each weight is moved, before it is rounded, towards the one that gives the unquantized model's outputs from the quantized model's inputs (QEP, arXiv 2504.09629): 0 not at
        /// all, 1 the least-squares solution on the calibration data. Needs <c>sequential</c>, and runs the unquantized model beside the other. Default 1, or 0 without <c>sequential</c>; 0.5 where there are less than some 20 inputs to a layer's column.
        /// </summary>
        [Range(0d, 1d)]
        public double? ErrorPropagation { get; init; }

        /// <summary>Whether look-ups of embeddings are quantized too, rounded to nearest. Default true.</summary>
        public bool Embeddings { get; init; } = true;

        /// <summary>α of <see cref="Gptq.ErrorPropagation"/>.</summary>
        internal double Strength => ErrorPropagation ?? (Sequential ? 1 : 0);

        /// <inheritdoc/>
        public override IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
        {
            foreach (var result in base.Validate(validationContext))
            {
                yield return result;
            }

            if (ErrorPropagation > 0 && !Sequential)
            {
                yield return new(
                    "error_propagation compares the inputs of quantized and unquantized layers, which sequential: false takes for the same: remove it, or sequential.",
                    [nameof(ErrorPropagation), nameof(Sequential)]);
            }
        }
    }

    /// <inheritdoc/>
    public override StepResult Apply(Model model, Options options, StepContext context)
    {
        OpTypeCheck.Require(options.OpTypes, WeightLayers.AllOpTypes);
        var selection = new LayerSelection(model, options.OpTypes, options.Include, options.Exclude);
        new ConstantsToInitializers().Run(model); // a solved layer's weight is replaced while the model runs
        var found = WeightLayers.Find(model, selection, [.. WeightLayers.AllOpTypes.Where(o => options.Embeddings || o != "Gather")]);
        var writer = new BlockWriter(model, options, context);
        var obstacles = found.Layers.Select(l => writer.Obstacle(l, l.Adapt(options.Format))).ToArray();
        var numbered = found.Layers.Select((layer, i) => new NumberedLayer(i, layer)).ToArray();
        var (groups, unreached) = InputGroup.Of(model, numbered.Where(l => obstacles[l.Index] is null));
        var solver = new LayerSolver(options, context);
        using var store = new LayerStore<LayerSolution>(context, static (solution, stream) => solution.Write(stream), LayerSolution.Read);
        Solve(model, options, groups, solver, store, context);

        var reasons = unreached.ToDictionary(u => u.Layer.Index, u => u.Reason);
        var layers = ImmutableArray.CreateBuilder<LayerOutcome>();
        foreach (var (index, layer) in numbered)
        {
            context.Cancellation.ThrowIfCancellationRequested();
            if (obstacles[index] is { } obstacle)
            {
                layers.AddRange(layer.Readers.Select(r => new LeftLayer(r.Node, obstacle).Outcome));
            }
            else if (reasons.TryGetValue(index, out var reason))
            {
                var (matrix, error) = solver.Nearest(layer);
                var outcome = writer.Write(layer, matrix, error.SqnrDecibels);
                layers.Add(outcome with { Reason = Join($"rounded to nearest: {reason}", outcome.Reason) });
            }
            else
            {
                var solution = store.Get(index);
                var outcome = writer.Write(layer, solution.Matrix, solution.WeightError.SqnrDecibels, solution.Figures);
                layers.Add(solution.Dampening <= options.Dampening ? outcome : outcome with
                {
                    Reason = Join(
                        FormattableString.Invariant($"its Hessian is not positive definite with a dampening of {options.Dampening}, {solution.Dampening} was taken"), outcome.Reason),
                });
            }
        }

        layers.AddRange(found.Left.Select(l => l.Outcome));
        writer.RequireAny(layers);
        return new StepResult(model) { Layers = layers.ToImmutable(), Notes = writer.Notes };
    }

    private static void Solve(
        Model model, Options options, ImmutableArray<InputGroup> groups, LayerSolver solver, LayerStore<LayerSolution> store, StepContext context)
    {
        if (groups.All(g => g.Layers.All(l => store.Has(l.Index))))
        {
            return;
        }

        using var source = Open(model, options, groups, context, out var preflight);
        var layers = groups.Sum(g => g.Layers.Length);
        int[] unsolved = [.. Enumerable.Range(0, groups.Length).Where(i => !groups[i].Layers.All(l => store.Has(l.Index)))];
        preflight.Check(unsolved.Sum(i => groups[i].Layers.Length), unsolved, context);
        var done = 0;
        for (var i = 0; i < groups.Length; i++)
        {
            var group = groups[i];
            context.Cancellation.ThrowIfCancellationRequested();
            context.Progress.Report(new(preflight.Fraction(i), $"layer {done + 1}/{layers} {group.Layers[0].Layer.Name}"));
            NumberedLayer[] pending = [.. group.Layers.Where(l => !store.Has(l.Index))];
            if (pending.Length > 0)
            {
                using var hessians = source.Of(group);
                solver.Solve(pending, hessians, (layer, solution) => store.Add(layer.Index, solution));
            }
            else
            {
                source.Skip(group);
            }

            foreach (var layer in group.Layers)
            {
                if (options.Sequential)
                {
                    layer.Layer.Weight.Graph.SetInitializer(layer.Layer.Weight, store.Restored(layer, solution => layer.Layer.Restore(solution.Matrix)));
                }
            }

            done += group.Layers.Length;
        }

        foreach (var layer in groups.SelectMany(g => g.Layers))
        {
            layer.Layer.Weight.Graph.SetInitializer(layer.Layer.Weight, layer.Layer.Tensor); // nodes that are not quantized read it as it was
        }
    }

    private static IHessianSource Open(Model model, Options options, ImmutableArray<InputGroup> groups, StepContext context, out GptqPreflight preflight)
    {
        var limited = FirstSamples.In(context, options.Samples);
        var data = limited.Data(options.Data);
        preflight = new(model, groups, options, data, context.Threads);
        return options.Sequential ? new SequentialHessians(model, data, options.Strength > 0, context) : new StageHessians(model, options.Data, groups, limited);
    }

    private static string Join(string first, string second) => second.Length == 0 ? first : $"{first}; {second}";
}
