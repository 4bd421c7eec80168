using System.Collections.Immutable;
using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.Metrics;
using Build.ML.Abstractions.References;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Tensors;
using Build.ML.Metrics.Text;

namespace Build.ML.Metrics.Tests;

public sealed class OutputMetricTests : IDisposable
{
    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    static Batch Labelled(params IEnumerable<Label> labels)
    {
        ImmutableArray<Label> all = [.. labels];
        return new Batch([new("", Tensor.Of(new float[all.Length], all.Length, 1))], all);
    }

    static Batch Classes(params long[] classes) => Labelled(classes.Select(c => new Label { Class = c }));

    static Batch Texts(params string[] texts) => Labelled(texts.Select(t => new Label { Text = t }));

    static MetricValue Single(IMetricAccumulator accumulator, Batch batch, Tensor output) => Assert.Single(All(accumulator, batch, output));

    static ImmutableArray<MetricValue> All(IMetricAccumulator accumulator, Batch batch, Tensor output, Tensor? source = null)
    {
        accumulator.Add(batch, [output], source is null ? [] : [source]);
        return accumulator.Result();
    }

    static string Refused(Action act) => Assert.Throws<DiagnosticException>(act).Diagnostics[0].Code;

    [Fact]
    public void Accuracy_counts_the_first_of_equal_scores()
    {
        var scores = Tensor.Of([1f, 3f, 2f, 5f, 5f, 0f, -1f, -1f, -1f], 3, 3);
        var value = Single(new AccuracyMetric().Begin(new()), Classes(1, 1, 0), scores);
        Assert.Equal(("accuracy", 2 / 3d, "ratio", Direction.HigherIsBetter), (value.Name, value.Value, value.Unit, value.Direction));
    }

    [Fact]
    public void Accuracy_adds_up_over_batches()
    {
        var accumulator = new AccuracyMetric().Begin(new());
        accumulator.Add(Classes(0), [Tensor.Of([1f, 0f], 1, 2)], []);
        accumulator.Add(Classes(0, 1, 0), [Tensor.Of([0f, 1f, 0f, 1f, 0f, 1f], 3, 2)], []);
        Assert.Equal(0.5, accumulator.Result()[0].Value);
    }

    [Theory]
    [InlineData(0, 0.75)]
    [InlineData(0.5, 0.5)]
    public void A_single_score_decides_by_the_threshold(double threshold, double expected) => Assert.Equal(
        expected, Single(new AccuracyMetric().Begin(new() { Threshold = threshold }), Classes(1, 1, 0, 1), Tensor.Of([0.9f, 0.3f, -1f, -2f], 4, 1)).Value);

    [Theory]
    [InlineData(1, 0)] // class 2 shares the highest score with class 1, which comes before it
    [InlineData(2, 1)]
    public void Top_k_puts_the_lower_class_first_among_equals(int k, double expected) =>
        Assert.Equal(expected, Single(new TopKMetric().Begin(new() { K = k }), Classes(2), Tensor.Of([0f, 7f, 7f, 3f], 1, 4)).Value);

    [Theory]
    [InlineData(DataType.Float16)]
    [InlineData(DataType.BFloat16)]
    [InlineData(DataType.Double)]
    [InlineData(DataType.Int8)]
    [InlineData(DataType.UInt8)]
    public void Scores_of_any_number_type_are_read(DataType type)
    {
        byte[] bytes = type switch
        {
            DataType.Float16 => [.. BitConverter.GetBytes((Half)1), .. BitConverter.GetBytes((Half)2.5)],
            DataType.BFloat16 => [0x80, 0x3f, 0x20, 0x40],
            DataType.Double => [.. BitConverter.GetBytes(1d), .. BitConverter.GetBytes(2.5)],
            _ => [1, 2],
        };
        Assert.Equal(1, Single(new AccuracyMetric().Begin(new()), Classes(1), Tensor.OfBytes(type, bytes, 1, 2)).Value);
    }

    [Fact]
    public void Labels_and_outputs_that_do_not_fit_are_refused()
    {
        var metric = new AccuracyMetric().Begin(new());
        var scores = Tensor.Of([1f, 2f], 1, 2);
        Assert.Equal("BML6101", Refused(() => metric.Add(Classes(2), [scores], [])));
        Assert.Equal("BML6101", Refused(() => metric.Add(Texts("a"), [scores], [])));
        Assert.Equal("BML6102", Refused(() => metric.Add(Classes(0, 1), [scores], [])));
        Assert.Equal("BML6102", Refused(() => new AccuracyMetric().Begin(new() { Output = 1 }).Add(Classes(0), [scores], [])));
        Assert.Equal("BML6103", Refused(() => metric.Result()));
    }

    [Theory]
    [InlineData("kitten", "sitting", 3, 6)]
    [InlineData("", "ab", 2, 0)]
    [InlineData("ab", "", 2, 2)]
    [InlineData("flaw", "lawn", 2, 4)]
    [InlineData("日本語😀", "日語😁", 2, 4)] // one character beyond the basic plane counts once
    public void Edit_distances_are_the_known_ones(string expected, string actual, int distance, int length)
    {
        Assert.Equal((distance, length), EditDistance.Of(expected, actual));
        Assert.Equal(distance, EditDistance.Of(actual, expected).Distance);
    }

    // Scores whose best classes are those given, step by step.
    static Tensor Steps(int classes, params int[] best)
    {
        var scores = new float[best.Length * classes];
        for (var i = 0; i < best.Length; i++)
            scores[(i * classes) + best[i]] = 1;
        return Tensor.Of(scores, 1, best.Length, classes);
    }

    [Theory]
    [InlineData(0, new[] { 0, 1, 1, 0, 1, 2, 2, 3, 0 }, "aab ")]
    [InlineData(2, new[] { 0, 0, 2, 0, 1, 3, 3 }, "aab ")]
    [InlineData(0, new[] { 0, 0 }, "")]
    public void Ctc_merges_repeats_and_drops_blanks(int blank, int[] best, string text)
    {
        var charset = new FileReference(_folder.Write("charset.txt", "a\r\nb\r\n"));
        var value = Single(new ExactMatchMetric().Begin(new() { Charset = charset, Blank = blank }), Texts(text), Steps(4, best));
        Assert.Equal((1d, "1 of 1"), (value.Value, value.Note));
    }

    [Fact]
    public void Spaces_count_unless_they_are_to_be_ignored()
    {
        var output = new Tensor([2], ["a b", "abc"]);
        Assert.Equal(0.5, Single(new ExactMatchMetric().Begin(new()), Texts("a b", "ab c"), output).Value);
        Assert.Equal(1, Single(new ExactMatchMetric().Begin(new() { IgnoreSpaces = true }), Texts("a b", "ab c"), output).Value);
        var cer = Single(new CharacterErrorRateMetric().Begin(new()), Texts("a b", "abbc"), output);
        Assert.Equal((1 / 7d, "1 errors in 7 characters", Direction.LowerIsBetter), (cer.Value, cer.Note, cer.Direction));
    }

    [Fact]
    public void A_charset_of_another_size_is_refused()
    {
        var charset = new FileReference(_folder.Write("charset.txt", "a\nb\n"));
        Assert.Equal("BML6104", Refused(() => Single(new ExactMatchMetric().Begin(new() { Charset = charset, Space = false }), Texts(""), Steps(4, 0))));
        Assert.Equal("BML6104", Refused(() => Single(new ExactMatchMetric().Begin(new()), Texts(""), Steps(4, 0))));
    }

    [Fact]
    public void Perplexity_of_uniform_scores_is_the_size_of_the_vocabulary()
    {
        var batch = new Batch([new("ids", Tensor.Of([1L, 2L, 3L, 0L, 0L, 1L], 2, 3))], [Label.None, Label.None]);
        var logits = Tensor.Of(Enumerable.Repeat(1000f, 24).ToArray(), 2, 3, 4);
        Assert.Equal(4, Single(new PerplexityMetric().Begin(new()), batch, logits).Value, 1e-9);
        Assert.Equal(Math.Log(4), Single(new NegativeLogLikelihoodMetric().Begin(new()), batch, logits).Value, 1e-12);
    }

    [Fact]
    public void Likelihood_predicts_the_next_token_and_skips_padding()
    {
        // Step 0 gives token 1 the odds e² : 1, so −ln p = ln(1 + e⁻²); the second token is followed by padding.
        var batch = new Batch([new("ids", Tensor.Of([0L, 1L, 0L], 1, 3)), new("mask", Tensor.Of([1L, 1L, 0L], 1, 3))], [Label.None]);
        var logits = Tensor.Of([0f, 2f, 9f, -9f, 9f, -9f], 1, 3, 2);
        var value = Single(new NegativeLogLikelihoodMetric().Begin(new() { Input = "ids", Mask = "mask" }), batch, logits).Value;
        Assert.Equal(Math.Log(1 + Math.Exp(-2)), value, 1e-12);
    }

    [Fact]
    public void Fidelity_follows_its_formulas()
    {
        // Sample 1: s = (3,4), q = (3,3); sample 2: s = q = (0,2). Noise 1, signal 29.
        var values = All(
            new FidelityMetric().Begin(new()), Labelled(Label.None, Label.None), Tensor.Of([3f, 3f, 0f, 2f], 2, 2), Tensor.Of([3f, 4f, 0f, 2f], 2, 2));
        Assert.Equal(["fidelity_sqnr_db", "fidelity_cosine", "fidelity_argmax_agreement"], values.Select(v => v.Name));
        Assert.Equal(10 * Math.Log10(29), values[0].Value, 1e-12);
        Assert.Equal(((21 / (5 * Math.Sqrt(18))) + 1) / 2, values[1].Value, 1e-12);
        Assert.Equal(0.5, values[2].Value);
    }

    [Fact]
    public void Identical_outputs_have_a_finite_ratio()
    {
        var same = Tensor.Of([1f, 2f], 1, 2);
        Assert.Equal([300, 1, 1], All(new FidelityMetric().Begin(new()), Labelled(Label.None), same, same).Select(v => v.Value));
        Assert.Equal("BML6102", Refused(() => All(new FidelityMetric().Begin(new()), Labelled(Label.None), same, Tensor.Of([1f], 1, 1))));
    }
}
