namespace Build.ML.Cli.Tests;

public sealed class CouplingCommandTests
{
    [Fact]
    public void Inspect_shows_axes_and_why_they_are_locked()
    {
        using var terminal = new Terminal();
        var answer = terminal.Run("inspect", "model.onnx", "--coupling");
        Assert.Contains("0 of 2 axes can lose positions", answer.Output);
        Assert.Contains("is an output of the model", answer.Output);

        var axis = terminal.Run("inspect", "model.onnx", "--coupling", "--json").Result["axes"]!.AsArray().Single(a => ((string)a!["lock"]!).Contains("output"))!;
        Assert.Equal("w", (string)axis["places"]![0]!["constant"]!);
        Assert.Equal(1, (int)axis["places"]![0]!["dimension"]!);
        Assert.Equal("output", (string)axis["places"]![0]!["role"]!);
    }
}
