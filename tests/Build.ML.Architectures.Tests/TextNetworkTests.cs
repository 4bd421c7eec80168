using Build.ML.Architectures.Texts;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;

namespace Build.ML.Architectures.Tests;

public sealed class TextNetworkTests
{
    /// <summary>Counts of the published models; an encoder without classifier has no pooler, which published counts include: 590,592 for a state of 768.</summary>
    public static TheoryData<TextNetwork, long> Counts => new()
    {
        { new BertEncoder(), 109_482_240 - 590_592 },
        { new BertEncoder { Classes = 2 }, 109_483_778 },
        { new BertEncoder { Shape = BertShape.Distilbert }, 66_362_880 },
        { new BertEncoder { Shape = BertShape.Distilbert, Classes = 2 }, 66_955_010 },
        { new BertEncoder { Shape = BertShape.Tinybert6 }, 66_955_008 - 590_592 },
        { new BertEncoder { Shape = BertShape.Tinybert4 }, 14_350_248 - 97_656 },
        { new BertEncoder { Shape = BertShape.BertTiny, Classes = 2 }, 4_386_178 },
        { new Gpt2Decoder(), 124_439_808 },
        { new Gpt2Decoder { Layers = 24, Hidden = 1024, Heads = 16 }, 354_823_168 },
        { new LlamaDecoder(), 134_515_008 }, // SmolLM-135M
        { TinyLlama, 1_100_048_384 },
        { new LlamaDecoder { Layers = 32, Hidden = 4096, Heads = 32, KeyHeads = 32, Intermediate = 11008, Vocabulary = 32000, Tied = false }, 6_738_415_616 }, // Llama 2 7B
        // closed form: embedding + convolutions with bias + linear layer
        { new TextCnn(), (30522 * 300) + (100 * ((300 * (3 + 4 + 5)) + 3)) + (300 * 2) + 2 },
    };

    static LlamaDecoder TinyLlama => new() { Layers = 22, Hidden = 2048, Heads = 32, KeyHeads = 4, Intermediate = 5632, Vocabulary = 32000, Tied = false };

    public static TheoryData<TextNetwork, int> Small => new()
    {
        { new TextCnn { Vocabulary = 11, Embedding = 8, Filters = 6, Length = 12, Classes = 3, Dropout = 0.5 }, 3 },
        { new BertEncoder { Layers = 2, Hidden = 16, Heads = 4, Intermediate = 24, Vocabulary = 11, Positions = 12, Length = 9, Dropout = 0.1 }, 9 * 16 },
        { new BertEncoder { Shape = BertShape.Distilbert, Layers = 1, Hidden = 12, Heads = 3, Intermediate = 24, Vocabulary = 11, Length = 9, Classes = 4 }, 4 },
        { new BertEncoder { Layers = 1, Hidden = 12, Heads = 3, Intermediate = 24, Vocabulary = 11, Length = 9, Classes = 4 }, 4 },
        { new Gpt2Decoder { Layers = 2, Hidden = 16, Heads = 4, Vocabulary = 11, Positions = 12, Length = 9, Dropout = 0.1 }, 9 * 11 },
        { new LlamaDecoder { Layers = 2, Hidden = 16, Heads = 4, KeyHeads = 2, Intermediate = 24, Vocabulary = 11, Length = 9 }, 9 * 11 },
        { new LlamaDecoder { Layers = 1, Hidden = 16, Heads = 2, KeyHeads = 2, Intermediate = 24, Vocabulary = 11, Length = 9, Tied = false, Dropout = 0.1 }, 9 * 11 },
    };

    [Theory]
    [MemberData(nameof(Counts))]
    public void Parameters_are_as_many_as_the_reference_has(TextNetwork network, long expected)
    {
        using var model = network.Build(1);

        Assert.Equal(expected, Networks.Parameters(model));
    }

    [Theory]
    [MemberData(nameof(Small))]
    public void Outputs_are_finite_and_tell_texts_apart(TextNetwork network, int outputs)
    {
        using var model = network.Build(1);
        Assert.DoesNotContain(model.Validate(), d => d.Severity == Severity.Error);
        var result = Networks.Run(model);

        Assert.Equal(2 * outputs, result.Length);
        Assert.All(result, l => Assert.True(float.IsFinite(l)));
        Assert.True(result.Max() - result.Min() > 1e-6, $"{result.Min()} to {result.Max()}");
        Assert.NotEqual(result[..outputs], result[outputs..]);
    }

    [Theory]
    [MemberData(nameof(Small))]
    public void The_seed_decides_all_bytes(TextNetwork network, int outputs)
    {
        Assert.True(outputs > 0);
        var bytes = Networks.Bytes(network, 3);

        Assert.Equal(bytes, Networks.Bytes(network, 3));
        Assert.NotEqual(bytes, Networks.Bytes(network, 4));
    }

    public static TheoryData<TextNetwork> Decoders =>
    [
        new Gpt2Decoder { Layers = 2, Hidden = 16, Heads = 4, Vocabulary = 11, Length = 9 },
        new LlamaDecoder { Layers = 2, Hidden = 16, Heads = 4, KeyHeads = 2, Intermediate = 24, Vocabulary = 11, Length = 9 },
    ];

    [Theory]
    [MemberData(nameof(Decoders))]
    public void A_decoder_sees_nothing_of_later_tokens(TextNetwork decoder)
    {
        using var model = decoder.Build(1);
        var (before, after) = (Scores(model, [1, 2, 3, 4, 5, 6, 7, 8, 9]), Scores(model, [1, 2, 3, 4, 5, 10, 7, 8, 9]));

        // Equal to the bit up to position 4; what comes later is computed in the same calls, so no other rounding enters.
        Assert.Equal(before[..(5 * 11)], after[..(5 * 11)]);
        Assert.NotEqual(before[(5 * 11)..(6 * 11)], after[(5 * 11)..(6 * 11)]);
        Assert.NotEqual(before[(8 * 11)..], after[(8 * 11)..]);
    }

    [Theory]
    [MemberData(nameof(Decoders))]
    public void A_decoder_knows_the_order_of_tokens(TextNetwork decoder)
    {
        using var model = decoder.Build(1);

        Assert.NotEqual(Scores(model, [1, 2, 3, 4, 5, 6, 7, 8, 9])[(8 * 11)..], Scores(model, [2, 1, 3, 4, 5, 6, 7, 8, 9])[(8 * 11)..]);
    }

    [Fact]
    public void Llama_computes_its_equations()
    {
        var sizes = new LlamaDecoder { Layers = 2, Hidden = 16, Heads = 4, KeyHeads = 2, Intermediate = 24, Vocabulary = 11, Length = 9, RotaryBase = 100 };
        using var model = sizes.Build(1);
        // Larger than at the start, so that attention is not nearly uniform and every part matters.
        foreach (var weight in model.Graph.Initializers.Where(i => i.Initializer!.Rank == 2).ToArray())
            model.Graph.SetInitializer(weight, Tensor.Of([.. weight.Initializer!.ToArray<float>().Select(w => w * 20)], weight.Initializer!.Sizes.AsSpan()));
        long[] tokens = [1, 5, 3, 3, 10, 6, 0, 8, 9];
        var (actual, expected) = (Scores(model, tokens), new LlamaReference(sizes, model).Logits(tokens));

        // Float against double over two layers of sums of 16 to 24 products.
        Assert.Equal(expected.Length, actual.Length);
        Assert.All(expected.Zip(actual), p => Assert.Equal(p.First, p.Second, 1e-5 * expected.Max(Math.Abs)));
    }

    [Fact]
    public void An_encoder_does_not_see_padding()
    {
        using var model = new BertEncoder { Layers = 2, Hidden = 16, Heads = 4, Intermediate = 24, Vocabulary = 11, Length = 9, Classes = 3 }.Build(1);

        Assert.Equal(Classes(model, [1, 2, 3, 0, 0, 0, 0, 0, 0], 3), Classes(model, [1, 2, 3, 9, 8, 7, 6, 5, 4], 3));
        Assert.NotEqual(Classes(model, [1, 2, 3, 0, 0, 0, 0, 0, 0], 4), Classes(model, [1, 2, 3, 9, 8, 7, 6, 5, 4], 4));
    }

    [Fact]
    public void Only_weights_are_initializers()
    {
        using var model = new LlamaDecoder { Layers = 1, Hidden = 16, Heads = 4, KeyHeads = 2, Intermediate = 24, Vocabulary = 11, Length = 9 }.Build(1);

        Assert.All(model.Graph.Initializers, i => Assert.EndsWith(".weight", i.Name, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("BML6112", "'heads' is 5, which does not divide 16")]
    [InlineData("BML6113", "'length' is 128, more than the 12 of 'positions'")]
    public void Sizes_that_do_not_fit_are_refused(string code, string message)
    {
        var network = code == "BML6112" ? new Gpt2Decoder { Hidden = 16, Heads = 5 } : new Gpt2Decoder { Positions = 12 };
        var error = Assert.Single(Assert.Throws<DiagnosticException>(() => network.Build(1)).Diagnostics);

        Assert.Equal(code, error.Code);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    static float[] Scores(Model model, long[] tokens) => Run(model, [KeyValuePair.Create("input_ids", Tensor.Of(tokens, 1, tokens.Length))]);

    static float[] Classes(Model model, long[] tokens, int length) => Run(model,
    [
        KeyValuePair.Create("input_ids", Tensor.Of(tokens, 1, tokens.Length)),
        KeyValuePair.Create("attention_mask", Tensor.Of([.. tokens.Select((_, i) => i < length ? 1L : 0L)], 1, tokens.Length)),
    ]);

    static float[] Run(Model model, KeyValuePair<string, Tensor>[] inputs)
    {
        using var session = new OnnxRuntimeInference().Open(model, new());
        return session.Run([.. inputs])[0].ToArray<float>();
    }
}
