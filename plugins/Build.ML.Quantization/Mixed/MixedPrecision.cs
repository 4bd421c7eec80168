using System.Collections.Immutable;
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Selection;
using Build.ML.Abstractions.Techniques;
using Build.ML.Calibration.Layers;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Quantization.Blocks;
using Build.ML.Quantization.WeightOnly;

namespace Build.ML.Quantization.Mixed;

/// <summary>
/// Stores each layer's weights in as many bits as it needs: the noise that each layer makes in the outputs is measured for each number of bits, and the combination of
/// least noise within a budget of bytes is found exactly (HAWQ-V3's formulation, Yao et al. 2021, as a multiple-choice knapsack; here with measured sensitivities in
/// place of second derivatives). With a budget of quality, the smallest size that keeps it is searched, each candidate measured by the recipe's own metric.
/// </summary>
[Technique("quantize.mixed")]
[Description("Stores each layer's weights in 2, 3, 4 or 8 bits, chosen for a budget of bytes or quality from measured sensitivities.")]
public sealed class MixedPrecision : Technique<MixedPrecision.Options>
{
    /// <summary>Options of <c>quantize.mixed</c>. Exactly one of <c>average_bits</c>, <c>size</c> and <c>quality</c> is the budget.</summary>
    public sealed record Options : WeightFormOptions
    {
        /// <summary>Data to measure sensitivities on: inputs such as the model will meet; labels are not used.</summary>
        [Required]
        public required DataReference Data { get; init; }

        /// <summary>How many samples of it to use; time grows with it. Default 16.</summary>
        [Range(1, 1_000_000)]
        public int Samples { get; init; } = 16;

        /// <summary>Bits to choose from: 2, 3, 4, 8, or 32 for leaving the layer as it is. Default 2, 3, 4 and 8.</summary>
        public ImmutableArray<int> Choices { get; init; } = [2, 3, 4, 8];

        /// <summary>Budget: average bits of a weight, scales and zero points included, over all layers that can be quantized.</summary>
        [Range(1d, 32d)]
        public double? AverageBits { get; init; }

        /// <summary>Budget: bytes of the layers that can be quantized, scales and zero points included, as a share of what they take now.</summary>
        [Range(0.01d, 1d)]
        public double? Size { get; init; }

        /// <summary>Budget: how much worse a metric of the recipe may become.</summary>
        public QualityBudget? Quality { get; init; }

        /// <summary>Whether the range of a block is cut where that lessens its squared error. Default <c>mse</c>.</summary>
        public WeightClip Clip { get; init; } = WeightClip.Mse;

        /// <inheritdoc/>
        public override IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
        {
            foreach (var result in base.Validate(validationContext))
            {
                yield return result;
            }

            var budgets = (AverageBits is null ? 0 : 1) + (Size is null ? 0 : 1) + (Quality is null ? 0 : 1);
            if (budgets != 1)
            {
                yield return new($"exactly one of average_bits, size and quality must be given, not {budgets}.", [nameof(AverageBits), nameof(Size), nameof(Quality)]);
            }

            if (Choices.Length == 0 || Choices.Any(b => b is not (2 or 3 or 4 or 8 or 32)))
            {
                yield return new($"choices must be some of 2, 3, 4, 8 and 32, not [{string.Join(", ", Choices)}].", [nameof(Choices)]);
            }
        }
    }

    /// <inheritdoc/>
    public override StepResult Apply(Model model, Options options, StepContext context)
    {
        OpTypeCheck.Require(options.OpTypes, WeightLayers.AllOpTypes);
        var selection = new LayerSelection(model, options.OpTypes, options.Include, options.Exclude);
        var found = WeightLayers.Find(model, selection, [.. WeightLayers.AllOpTypes]);
        var writer = new BlockWriter(model, options, context);
        var rounding = new BlockRounding(options.Clip == WeightClip.Mse ? new MseClipping() : new RoundToNearest(), context.Threads);
        var (items, left) = Items(found, writer, options);
        var noises = new LayerSensitivities(context, rounding, options.Clip.ToString()).Measure(model, items, options.Data, options.Samples);
        var problem = new BitAllocation(items, noises, options.Choices.Contains(32));
        int[] bits;
        var notes = ImmutableArray.CreateBuilder<string>();
        if (options.Quality is { } quality)
        {
            bits = new QualitySearch(model, problem, rounding, quality, context).Find(notes);
        }
        else
        {
            var budget = options.AverageBits is { } average ? (long)(average / 8 * problem.Elements) : (long)(options.Size!.Value * problem.SourceBytes);
            bits = problem.Solve(budget) ?? throw new DiagnosticException(
                "BML5460",
                FormattableString.Invariant($"The budget of {budget:N0} bytes ({8.0 * budget / problem.Elements:0.00} bits a weight) is less than the {problem.LeastBytes:N0} bytes ({8.0 * problem.LeastBytes / problem.Elements:0.00} bits) that the fewest bits take, scales included. ")
                + "Raise it, allow fewer bits in 'choices', or larger blocks.");
        }

        var layers = ImmutableArray.CreateBuilder<LayerOutcome>();
        for (var i = 0; i < items.Count; i++)
        {
            context.Cancellation.ThrowIfCancellationRequested();
            context.Progress.Report(new((double)i / items.Count, "quantizing"));
            var (layer, formats) = items[i];
            if (bits[i] >= formats.Length)
            {
                layers.Add(new(layer.Name, layer.OpType, "left", "32 bits were chosen: fewer make too much noise for the budget", []));
                continue;
            }

            var (matrix, error) = rounding.Quantize(layer, formats[bits[i]], context.Cancellation);
            layers.Add(writer.Write(layer, matrix, error.SqnrDecibels, new KeyValuePair<string, double>("output_sqnr_db", Decibels(noises[i][bits[i]]))));
        }

        notes.Insert(0, FormattableString.Invariant(
            $"{problem.BytesOf(bits):N0} bytes, {8.0 * problem.BytesOf(bits) / problem.Elements:0.00} bits a weight with scales; the layers' noises add up to {Decibels(problem.NoiseOf(bits)):0.0} dB of output SQNR. Layers by bits: {Histogram(items, bits)}."));
        layers.AddRange(left);
        return new StepResult(model) { Layers = layers.ToImmutable(), Notes = [.. notes, .. writer.Notes] };
    }

    private static (List<(WeightLayer Layer, BlockFormat[] Formats)> Items, List<LayerOutcome> Left) Items(WeightLayers found, BlockWriter writer, Options options)
    {
        var items = new List<(WeightLayer, BlockFormat[])>();
        var left = new List<LayerOutcome>(found.Left.Select(l => l.Outcome));
        foreach (var layer in found.Layers)
        {
            var reason = "no choice of bits fits";
            var formats = new List<BlockFormat>();
            foreach (var bits in options.Choices.Where(b => b != 32).Distinct().Order())
            {
                var format = layer.Adapt(new BlockFormat(bits, options.BlockSize, options.Symmetric));
                if (writer.Obstacle(layer, format) is { } obstacle)
                {
                    reason = obstacle;
                }
                else
                {
                    formats.Add(format);
                }
            }

            if (formats.Count > 0)
            {
                items.Add((layer, [.. formats]));
            }
            else
            {
                left.AddRange(layer.Readers.Select(r => new LeftLayer(r.Node, reason).Outcome));
            }
        }

        return items.Count > 0 ? (items, left) : throw new DiagnosticException(
            "BML5406", $"No layer was quantized: {(left.Count == 0 ? "the model has none with constant weights" : $"each of {left.Count} was left, the first because: {left[0].Reason}")}. Remove the step or widen its selection.");
    }

    private static double Decibels(double noise) => noise == 0 ? 200 : -10 * Math.Log10(noise);

    private static string Histogram(List<(WeightLayer Layer, BlockFormat[] Formats)> items, int[] bits) => string.Join(
        ", ", items.Select((item, i) => bits[i] < item.Formats.Length ? item.Formats[bits[i]].Bits : 32).CountBy(b => b).OrderBy(b => b.Key).Select(b => $"{b.Value} of {b.Key}"));
}
