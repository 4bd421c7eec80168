using Build.ML.Architectures.Images;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Architectures.Tests;

public sealed class ImageNetworkTests
{
    /// <summary>Counts of the papers' own or torchvision's and timm's implementations.</summary>
    public static TheoryData<ImageClassifier, long> Counts => new()
    {
        { new LeNet(), 61_706 },
        { new LeNet { Variant = LeNetVariant.Classic }, 61_706 },
        { new LeNet { Variant = LeNetVariant.Caffe }, 431_080 },
        { new ResNet { Depth = 18 }, 11_689_512 },
        { new ResNet { Depth = 34 }, 21_797_672 },
        { new ResNet { Depth = 50 }, 25_557_032 },
        { new ResNet { Depth = 101 }, 44_549_160 },
        { new ResNet { Depth = 152 }, 60_192_808 },
        { new CifarResNet { Depth = 20 }, 269_722 },
        { new CifarResNet { Depth = 32 }, 464_154 },
        { new CifarResNet { Depth = 44 }, 658_586 },
        { new CifarResNet { Depth = 56 }, 853_018 },
        { new CifarResNet { Depth = 110 }, 1_727_962 },
        { new MobileNetV1(), 4_231_976 },
        { new MobileNetV1 { Width = 0.5 }, 1_331_592 },
        { new MobileNetV2(), 3_504_872 },
        { new MobileNetV3(), 5_483_032 },
        { new MobileNetV3 { Variant = MobileNetV3Variant.Small }, 2_542_856 },
        { new EfficientNetLite(), 4_652_008 },
        { new EfficientNetLite { Variant = 1 }, 5_416_680 },
        { new EfficientNetLite { Variant = 2 }, 6_092_072 },
        { new EfficientNetLite { Variant = 3 }, 8_197_096 },
        { new EfficientNetLite { Variant = 4 }, 13_006_568 },
        { new ShuffleNetV2 { Width = 0.5 }, 1_366_792 },
        { new ShuffleNetV2(), 2_278_604 },
        { new ShuffleNetV2 { Width = 1.5 }, 3_503_624 },
        { new ShuffleNetV2 { Width = 2 }, 7_393_996 },
        { new SqueezeNet(), 1_235_496 },
        { new SqueezeNet { Version = SqueezeNetVersion.V1_0 }, 1_248_424 },
    };

    /// <summary>Every network at a small size, in every form of its options.</summary>
    public static TheoryData<ImageClassifier> Small =>
    [
        new LeNet(), new LeNet { Variant = LeNetVariant.Classic }, new LeNet { Variant = LeNetVariant.Caffe }, new LeNet { Channels = 3, Size = 32, Classes = 7 },
        new ResNet { Size = 32, Stride = 4, Width = 0.25, Classes = 10 }, new ResNet { Depth = 50, Size = 64, Width = 0.25, Classes = 10 },
        new CifarResNet { Depth = 8 }, new CifarResNet { Depth = 8, Shortcut = Shortcut.Projection, Width = 0.5, Size = 28, Channels = 1 },
        new MobileNetV1 { Size = 32, Stride = 4, Width = 0.25, Classes = 10, Dropout = 0.2 }, new MobileNetV2 { Size = 28, Channels = 1, Stride = 4, Width = 0.25, Classes = 10 },
        new MobileNetV2 { Size = 64, Width = 0.35, Classes = 10, Dropout = 0.2 }, new MobileNetV3 { Size = 64, Width = 0.5, Classes = 10 },
        new MobileNetV3 { Variant = MobileNetV3Variant.Small, Size = 32, Stride = 8, Width = 0.5, Classes = 10 },
        new EfficientNetLite { Size = 32, Stride = 8, Width = 0.25, Classes = 10 }, new ShuffleNetV2 { Size = 32, Stride = 4, Width = 0.5, Classes = 10 },
        new ShuffleNetV2 { Size = 64, Width = 0.3, Classes = 10 },
        new SqueezeNet { Size = 64, Width = 0.5, Classes = 10, Dropout = 0.5 }, new SqueezeNet { Version = SqueezeNetVersion.V1_0, Size = 64, Width = 0.5, Classes = 10 },
    ];

    [Theory]
    [MemberData(nameof(Counts))]
    public void Parameters_are_as_many_as_the_reference_has(ImageClassifier network, long expected)
    {
        using var model = network.Build(1);

        Assert.Equal(expected, Networks.Parameters(model));
    }

    [Theory]
    [MemberData(nameof(Small))]
    public void Logits_are_finite_and_tell_images_apart(ImageClassifier network)
    {
        using var model = network.Build(1);
        Assert.DoesNotContain(model.Validate(), d => d.Severity == Severity.Error);
        var logits = Networks.Run(model);

        Assert.Equal(2 * network.Classes, logits.Length);
        Assert.All(logits, l => Assert.True(float.IsFinite(l)));
        // Dead or exploding networks have equal or huge outputs.
        Assert.True(logits.Max() - logits.Min() > 1e-6 && logits.Max(Math.Abs) < 1e4, $"{logits.Min()} to {logits.Max()}");
        Assert.NotEqual(logits[..network.Classes], logits[network.Classes..]);
    }

    [Theory]
    [MemberData(nameof(Small))]
    public void The_seed_decides_all_bytes(ImageClassifier network)
    {
        var bytes = Networks.Bytes(network, 3);

        Assert.Equal(bytes, Networks.Bytes(network, 3));
        Assert.NotEqual(bytes, Networks.Bytes(network, 4));
    }

    [Fact]
    public void A_smaller_stride_keeps_the_last_halvings()
    {
        using var full = new MobileNetV2 { Size = 64 }.Build(1);
        using var fine = new MobileNetV2 { Size = 64, Stride = 8 }.Build(1);

        Assert.Equal([2, 2, 2, 2, 2], Strides(full));
        Assert.Equal([2, 2, 2], Strides(fine));
        Assert.Equal("features.4.conv.1.0", fine.Graph.Nodes.First(n => n.Is("Conv") && n.Ints("strides")[0] == 2).Name);

        static IEnumerable<long> Strides(Graph.Model model) => model.Graph.Nodes.Where(n => n.Is("Conv")).Select(n => n.Ints("strides")[0]).Where(s => s > 1);
    }

    [Fact]
    public void Too_small_an_image_is_refused_by_the_layer_that_cannot_see_it()
    {
        var error = Assert.Single(Assert.Throws<DiagnosticException>(() => new SqueezeNet { Size = 16, Version = SqueezeNetVersion.V1_0 }.Build(1)).Diagnostics);

        Assert.Equal("BML6110", error.Code);
        Assert.Contains("Layer 'features.6' gets maps of 2×2, less than its window of 3×3", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Weights_follow_their_distribution()
    {
        using var model = new ResNet { Depth = 18 }.Build(1);
        var weight = model.Graph.Find("layer4.1.conv2.weight")!.Initializer!.ToArray<float>();
        var deviation = Math.Sqrt(2.0 / (512 * 9));

        // 2.4 million samples: the standard error of the mean is deviation/1536, that of the deviation deviation/2172.
        Assert.Equal(0, weight.Average(), 5 * deviation / 1536);
        Assert.Equal(deviation, Math.Sqrt(weight.Average(w => (double)w * w)), 5 * deviation / 2172);
        Assert.NotEqual(weight[..64], model.Graph.Find("layer4.1.conv1.weight")!.Initializer!.ToArray<float>()[..64]);
    }
}
