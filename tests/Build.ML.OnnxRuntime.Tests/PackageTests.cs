using System.Xml.Linq;
using Microsoft.ML.OnnxRuntime;

namespace Build.ML.OnnxRuntime.Tests;

/// <summary>That the package, served by a feed or packed from npm, has managed and native code of the pinned version and runs a model.</summary>
public sealed class PackageTests
{
    // y = x + x on float[2]: ModelProto { ir_version 8, graph { node Add(x, x) -> y, input x, output y }, opset 13 }.
    static readonly byte[] AddModel =
    [
        0x08, 8, // ir_version
        0x3A, 53, // graph
        0x0A, 14, 0x0A, 1, (byte)'x', 0x0A, 1, (byte)'x', 0x12, 1, (byte)'y', 0x22, 3, (byte)'A', (byte)'d', (byte)'d', // node
        0x12, 1, (byte)'g', // name
        0x5A, 15, 0x0A, 1, (byte)'x', 0x12, 10, 0x0A, 8, 0x08, 1, 0x12, 4, 0x0A, 2, 0x08, 2, // input float[2]
        0x62, 15, 0x0A, 1, (byte)'y', 0x12, 10, 0x0A, 8, 0x08, 1, 0x12, 4, 0x0A, 2, 0x08, 2, // output float[2]
        0x42, 2, 0x10, 13, // opset_import
    ];

    [Fact]
    public void The_native_library_has_the_pinned_version()
    {
        var pinned = XDocument.Load(Repository.PathOf("Directory.Packages.props")).Descendants("OnnxRuntimeVersion").Single().Value;

        Assert.Equal(pinned, OrtEnv.Instance().GetVersionString());
    }

    [Fact]
    public void A_model_runs()
    {
        using var session = new InferenceSession(AddModel);
        using var x = OrtValue.CreateTensorValueFromMemory([1.5f, -2f], [2]);
        using var options = new RunOptions();

        using var outputs = session.Run(options, ["x"], [x], ["y"]);

        Assert.Equal([3f, -4f], outputs[0].GetTensorDataAsSpan<float>().ToArray());
    }
}
