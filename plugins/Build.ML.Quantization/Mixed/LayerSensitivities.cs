using System.Globalization;
using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Techniques;
using Build.ML.Calibration.Layers;
using Build.ML.Graph;
using Build.ML.Quantization.Blocks;
using Build.ML.Quantization.Static;
using Build.ML.Quantization.WeightOnly;

namespace Build.ML.Quantization.Mixed;

/// <summary>
/// What each layer costs in each format: the noise in the model's outputs, Σ(y − ŷ)² / Σy² over samples, when that layer alone is quantized. Noises of layers quantized together add up to first
/// order, as their errors are nearly independent. Kept in the cache layer by layer: other budgets, and a step that was killed, do not measure again.
/// </summary>
/// <param name="context">Inference, cache, progress.</param>
/// <param name="rounding">Quantizes layers.</param>
/// <param name="method">Name of the solver that <paramref name="rounding"/> uses, for the cache.</param>
internal sealed class LayerSensitivities(StepContext context, BlockRounding rounding, string method)
{
    /// <summary>Measures.</summary>
    /// <param name="model">The model; as it was when this returns.</param>
    /// <param name="items">Layers and the formats to try on each.</param>
    /// <param name="data">Where the samples come from.</param>
    /// <param name="samples">How many of its first samples to use.</param>
    /// <returns>The noise for each layer and format, 0 or more; infinite where outputs are not numbers any more.</returns>
    public double[][] Measure(Model model, IReadOnlyList<(WeightLayer Layer, BlockFormat[] Formats)> items, DataReference data, int samples)
    {
        var noises = items.Select(i => new double[i.Formats.Length]).ToArray();
        var total = items.Sum(i => i.Formats.Length);
        var identity = context.Cache is NoDerivedCache || context.DataFingerprint(data) is not { } dataHash ? null : $"{model.ContentHash(context.Cancellation)} {dataHash}";
        OutputFidelity? fidelity = null;
        var done = 0;
        for (var i = 0; i < items.Count; i++)
        {
            var (layer, formats) = items[i];
            for (var f = 0; f < formats.Length; f++)
            {
                context.Cancellation.ThrowIfCancellationRequested();
                context.Progress.Report(new((double)done++ / total, "measuring sensitivities"));
                var key = identity is null ? null : new DerivedKey(
                    "sensitivity of a layer", ("model and data", identity), ("samples", samples.ToString(CultureInfo.InvariantCulture)),
                    ("layer", layer.Name), ("format", string.Create(CultureInfo.InvariantCulture, $"{method} {formats[f]}")));
                if (key is null || Kept(key) is not { } noise)
                {
                    fidelity ??= new OutputFidelity(model, context.Data(data), samples, context);
                    noise = Noise(model, layer, formats[f], fidelity);
                    if (key is not null)
                    {
                        context.Cache.Add(key, stream => stream.Write(BitConverter.GetBytes(noise)));
                    }
                }

                noises[i][f] = noise;
            }
        }

        return noises;
    }

    private double? Kept(DerivedKey key)
    {
        using var stream = context.Cache.TryOpen(key);
        if (stream is null)
        {
            return null;
        }

        var bytes = new byte[sizeof(double)];
        stream.ReadExactly(bytes);
        return BitConverter.ToDouble(bytes);
    }

    private double Noise(Model model, WeightLayer layer, BlockFormat format, OutputFidelity fidelity)
    {
        var (matrix, _) = rounding.Quantize(layer, format, context.Cancellation);
        var constant = new ConstantReplacement(layer.Weight);
        constant.Set(layer.Restore(matrix));
        try
        {
            var decibels = fidelity.Measure(model).SqnrDecibels;
            return double.IsNaN(decibels) ? double.PositiveInfinity : double.IsPositiveInfinity(decibels) ? 0 : Math.Pow(10, -decibels / 10);
        }
        finally
        {
            constant.Set(layer.Tensor);
        }
    }
}
