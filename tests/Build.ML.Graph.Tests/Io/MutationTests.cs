using Build.ML.Graph.Diagnostics;

namespace Build.ML.Graph.Tests.Io;

public sealed class MutationTests
{
    const int Count = 3000;

    [Fact]
    public void Mutated_files_end_in_a_diagnostic_or_in_a_model_that_comes_out_as_it_went_in()
    {
        using var folder = new TemporaryFolder();
        var path = folder.PathOf("m.onnx");
        var samples = new[] { OnnxSample.Add(), OnnxSample.Rich() };
        var (accepted, refused) = (0, 0);
        for (var seed = 0; seed < Count; seed++)
        {
            var bytes = OnnxMutator.Mutate(samples[seed % samples.Length], seed);
            try
            {
                if (seed % 3 == 0 && bytes.Length > 0)
                {
                    File.WriteAllBytes(path, bytes);
                    using var opened = Model.Open(path);
                    Use(opened);
                }

                using var model = Model.Load(bytes);
                Use(model);
                accepted++;
            }
            catch (DiagnosticException e)
            {
                refused++;
                Assert.All(e.Diagnostics, d => Assert.Matches("^BML20[0-2][0-9]$", d.Code));
            }
            catch (Exception e) when (e is not Xunit.Sdk.XunitException)
            {
                Assert.Fail($"seed {seed}: {e}");
            }
        }

        // Both outcomes must be common, or the mutations test nothing.
        Assert.InRange(accepted, Count / 30, Count);
        Assert.InRange(refused, Count / 3, Count);
    }

    static void Use(Model model)
    {
        model.Validate();
        foreach (var value in model.Graph.Initializers)
            if (value.Initializer is { Type: not DataType.String } tensor)
                tensor.Read<byte>().Dispose();
        var written = model.ToBytes();
        using var copy = model.Clone();
        Assert.Equal(written, copy.ToBytes());
        using var again = Model.Load(written);
        Assert.Equal(written, again.ToBytes());
    }
}
