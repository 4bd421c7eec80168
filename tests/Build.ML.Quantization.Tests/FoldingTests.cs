using System.Collections.Immutable;
using Build.ML.Abstractions.Selection;
using Build.ML.Graph;
using Build.ML.Graph.Shapes;
using Build.ML.Graph.Tensors;
using Build.ML.Quantization.Blocks;
using Build.ML.Quantization.Folding;

namespace Build.ML.Quantization.Tests;

public sealed class FoldingTests
{
    public static TheoryData<string> AllModels => ["llama", "llama fused", "gpt", "perceptron", "convolutions"];

    [Theory]
    [MemberData(nameof(AllModels))]
    public void Scaling_every_group_that_can_be_keeps_outputs(string name)
    {
        var model = Build(name);
        var input = InputOf(name);
        var before = Step.Run(model, input);
        var scaled = 0;
        foreach (var (group, fold) in Folds(model, mayInsert: true).Where(f => f.Fold.IsPossible))
        {
            fold.Apply(Scales(group, fold));
            scaled++;
        }

        Assert.NotEqual(0, scaled);
        AssertClose(before, Step.Run(model, input));
    }

    [Fact]
    public void A_llama_takes_all_scales_without_a_product_more()
    {
        var model = Build("llama");
        var folds = Folds(model, mayInsert: false).ToDictionary(f => f.Group.Name, f => f.Fold);
        Assert.All(folds.Values, f => Assert.Equal("", f.Reason));
        Assert.Equal("l0.attention_norm.gamma", folds["l0.q"].Target);
        Assert.Equal("l0.v.weight", folds["l0.o"].Target);
        Assert.Equal("l0.up.weight", folds["l0.down"].Target);
        Assert.Equal("norm.gamma", folds["head"].Target);
    }

    [Fact]
    public void Query_heads_that_share_a_value_head_share_their_scales()
    {
        var ties = Folds(Build("llama"), mayInsert: false).Single(f => f.Group.Name == "l0.o").Fold.Ties;
        for (var channel = 0; channel < LanguageModels.Width; channel++)
        {
            var (head, inner) = (channel / LanguageModels.HeadSize, channel % LanguageModels.HeadSize);
            Assert.Equal(head / 2 * 2 * LanguageModels.HeadSize + inner, ties.Of(channel));
        }
    }

    [Fact]
    public void Values_of_a_packed_product_take_scales_and_queries_and_keys_none()
    {
        var model = Build("gpt");
        var before = model.Graph.Find("l0.qkv_product.weight")!.Constant!.ToArray<float>();
        var (group, fold) = Folds(model, mayInsert: false).Single(f => f.Group.Name == "o_product");
        fold.Apply([.. Enumerable.Repeat(2f, group.Channels)]);
        var after = model.Graph.Find("l0.qkv_product.weight")!.Constant!.ToArray<float>();
        for (var i = 0; i < before.Length; i++)
        {
            Assert.Equal(i % (3 * LanguageModels.Width) < 2 * LanguageModels.Width ? before[i] : before[i] / 2, after[i]);
        }
    }

    [Fact]
    public void Inserting_is_asked_for_and_adds_one_product()
    {
        var model = Build("perceptron");
        var (group, fold) = Folds(model, mayInsert: false)[0];
        Assert.False(fold.IsPossible);
        Assert.Equal("'x' is an input of the model", fold.Reason);
        (group, fold) = Folds(model, mayInsert: true)[0];
        var input = InputOf("perceptron");
        var before = Step.Run(model, input);
        fold.Apply(Scales(group, fold));
        Assert.Equal(1, model.Graph.Nodes.Count(n => n.OpType == "Mul"));
        AssertClose(before, Step.Run(model, input));
    }

    [Fact]
    public void A_value_that_something_else_reads_keeps_its_scale()
    {
        var model = Build("llama");
        var product = model.Graph.Find("l0.product")!;
        model.Graph.AddOutput(model.Graph.Add("Tanh", [product], "watched"));
        var fold = Folds(model, mayInsert: false).Single(f => f.Group.Name == "l0.down").Fold;
        Assert.False(fold.IsPossible);
        Assert.Contains("is read by Tanh 'watched' too", fold.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_weight_used_twice_is_left_with_the_reason()
    {
        var fold = Folds(LanguageModels.Llama(isTied: true), mayInsert: true).Single(f => f.Group.Name == "logits").Fold;
        Assert.False(fold.IsPossible);
        Assert.Equal("the weight 'embedding.weight' is used in several places", fold.Reason);
    }

    [Fact]
    public void A_function_that_is_not_homogeneous_takes_no_scale()
    {
        var model = Build("perceptron");
        model.Graph.Nodes.Single(n => n.OpType == "Relu").OpType = "Tanh";
        Assert.Contains("no scale passes through Tanh", Folds(model, mayInsert: false)[1].Fold.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Gammas_shared_by_two_norms_are_parted()
    {
        var model = Build("llama");
        var shared = model.Graph.Find("l0.mlp_norm.gamma")!;
        model.Graph.Find("l0.attention_norm")!.Producer!.SetInput(1, shared);
        var input = InputOf("llama");
        var before = Step.Run(model, input);
        var (group, fold) = Folds(model, mayInsert: false).Single(f => f.Group.Name == "l0.q");
        fold.Apply(Scales(group, fold));
        AssertClose(before, Step.Run(model, input));
    }

    [Fact]
    public void Half_precision_weights_are_scaled_in_their_own_type()
    {
        var tensor = Tensor.Of(new[] { (Half)1, (Half)2, (Half)3, (Half)4, (Half)5, (Half)6 }, 2, 3);
        var scaled = ScaledTensor.Of(tensor, ChannelGrid.Channels(2, inner: 1), [2f, 0.5f]).ToArray<Half>();
        Assert.Equal([(Half)2, (Half)4, (Half)6, (Half)2, (Half)2.5f, (Half)3], scaled);
    }

    internal static ImmutableArray<(LayerGroup Group, ScaleFold Fold)> Folds(Model model, bool mayInsert)
    {
        ShapeInference.Run(model);
        var rules = FoldWalk.AllRules();
        var layers = WeightLayers.Find(model, new LayerSelection(model, [], [], []), "MatMul", "Gemm", "Conv").Layers;
        return [.. LayerGroup.Of(layers).Select(g => (g, ScaleFold.Find(g, rules, mayInsert)))];
    }

    internal static Model Build(string name) => name switch
    {
        "llama" => LanguageModels.Llama(),
        "llama tied" => LanguageModels.Llama(isTied: true),
        "llama fused" => LanguageModels.Llama(isFused: true),
        "gpt" => LanguageModels.Gpt(),
        "perceptron" => Models.Perceptron(),
        _ => Models.Residual(),
    };

    internal static Tensor InputOf(string name) => name switch
    {
        "perceptron" => Numbers.Tensor(7, 1, 4, 48),
        "convolutions" => Numbers.Tensor(7, 1, 2, 3, 16, 16),
        _ => LanguageModels.Ids(),
    };

    // Factors between 1/4 and 4: what a fold that touches the wrong channels does to outputs is far above rounding.
    private static float[] Scales(LayerGroup group, ScaleFold fold)
    {
        var random = new Random(group.Channels);
        var scales = new float[group.Channels];
        for (var i = 0; i < scales.Length; i++)
        {
            scales[i] = MathF.Pow(2, 4 * random.NextSingle() - 2);
        }

        fold.Ties.Unify(scales);
        return scales;
    }

    // 1e-5 of the largest output: float32 sums of 32 to 144 terms whose factors were rounded once more.
    internal static void AssertClose(float[] expected, float[] actual, double tolerance = 1e-5)
    {
        Assert.Equal(expected.Length, actual.Length);
        var largest = expected.Max(Math.Abs);
        for (var i = 0; i < expected.Length; i++)
        {
            Assert.InRange(Math.Abs(expected[i] - actual[i]), 0, tolerance * largest);
        }
    }
}
