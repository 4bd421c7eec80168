using System.Collections.Immutable;
using Build.ML.Engine.Inspection;
using Spectre.Console;

namespace Build.ML.Cli.Output;

/// <summary>What <c>inspect --quantization</c> prints.</summary>
internal static class QuantizationTables
{
    /// <summary>A sum, then a row a layer.</summary>
    public static void Render(ImmutableArray<QuantizedLayer> layers, bool hasSource, IAnsiConsole console)
    {
        var quantized = layers.Where(l => l.IsQuantized).ToList();
        if (quantized.Count == 0)
        {
            console.WriteLine($"None of the {layers.Length} layers with weights is quantized.");
        }
        else
        {
            long elements = quantized.Sum(l => l.Elements), bytes = quantized.Sum(l => l.Bytes);
            console.WriteLine(FormattableString.Invariant(
                $"{quantized.Count} of {layers.Length} layers with weights are quantized: {Figures.Count(elements)} weights in {Figures.Bytes(bytes)}, {8.0 * bytes / elements:0.00} bits each with their scales, {bytes / (4.0 * elements):P1} of fp32."));
        }

        if (layers.Length > 0 && layers.All(l => l.Kernel.Length == 0))
        {
            console.WriteLine("Which kernels run was not looked up: the runtime would need the weights twice in memory.");
        }

        console.WriteLine();
        var table = Tables.Create(["layer", "operator", "kernel", "weight", "scales", "activations", ">weights", ">bits each", .. hasSource ? [">SQNR dB"] : Array.Empty<string>()]);
        foreach (var layer in layers)
        {
            table.Row([
                layer.Layer, layer.OpType, layer.Kernel, layer.IsQuantized ? $"{layer.Type} {layer.Form}" : layer.Type, layer.Granularity, layer.Activations, Figures.Count(layer.Elements),
                Figures.Digits(8.0 * layer.Bytes / Math.Max(layer.Elements, 1)), .. hasSource ? [Sqnr(layer.WeightSqnrDecibels)] : Array.Empty<string>()]);
        }

        console.Write(table);
    }

    private static string Sqnr(double? decibels) => decibels switch
    {
        null => "?",
        double.PositiveInfinity => "exact",
        _ => Figures.Digits(decibels.Value),
    };
}
