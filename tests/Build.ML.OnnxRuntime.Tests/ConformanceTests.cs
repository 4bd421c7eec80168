using Build.ML.Abstractions.Inference;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Tensors;

namespace Build.ML.OnnxRuntime.Tests;

/// <summary>Every conformance case of ONNX 1.12: the model, run on the case's inputs, gives the case's outputs.</summary>
public sealed class ConformanceTests
{
    // The relative part is that of ONNX's own backend test runner. The absolute part, a few float32 roundings of the largest element, lets through
    // sums that cancel to zero (Fourier transforms).
    const double Relative = 1e-3;
    const double AbsoluteOfLargest = 1e-6;

    [SkippableTheory]
    [MemberData(nameof(OnnxTestData.Models), MemberType = typeof(OnnxTestData))]
    public void A_model_gives_the_expected_outputs(string relative)
    {
        var path = OnnxTestData.PathOf(relative);
        using var model = Model.Open(path);
        var exception = ConformanceExceptions.Of(relative);
        if (exception is { Code: { } code } && !(ConformanceExceptions.DependsOnMachine(exception) && Opens(model)))
        {
            var error = Assert.Throws<DiagnosticException>(() => new OnnxRuntimeInference().Open(model));
            Assert.Equal(code, error.Diagnostics[0].Code);
            return;
        }

        using var session = new OnnxRuntimeInference().Open(model, new InferenceOptions { Threads = 2 });
        foreach (var set in Directory.GetDirectories(Path.GetDirectoryName(path)!, "test_data_set_*").Order(StringComparer.Ordinal))
        {
            var outputs = session.Run([.. session.Inputs.Select((input, i) => KeyValuePair.Create(input.Key, Feed(input, set, i)))]);
            for (var i = 0; i < outputs.Length; i++)
            {
                var expected = As(TensorProtoFile.Read(Path.Combine(set, $"output_{i}.pb")), outputs[i].Type);
                Assert.True(expected.Type == outputs[i].Type && expected.Sizes.SequenceEqual(outputs[i].Sizes), $"expected {expected}, got {outputs[i]}");
                if (exception is null)
                    TensorAssert.Close(expected, outputs[i], Relative, AbsoluteOfLargest, $"{Path.GetFileName(set)} output {session.Outputs[i]}");
            }
        }
    }

    static bool Opens(Model model)
    {
        try
        {
            new OnnxRuntimeInference().Open(model).Dispose();
            return true;
        }
        catch (DiagnosticException)
        {
            return false;
        }
    }

    static Tensor Feed(KeyValuePair<string, OnnxType> input, string set, int index)
    {
        var type = (TensorType)input.Value;
        var tensor = As(TensorProtoFile.Read(Path.Combine(set, $"input_{index}.pb")), type.ElementType);

        // Four cases hold [1] for an input declared [3,4], of which only the type counts.
        return type.Shape?.Count is { } count && count != tensor.Count
            ? Tensor.OfBytes(tensor.Type, new byte[tensor.Type.ByteLength(count)], type.Shape.ToSizes())
            : tensor;
    }

    // The cases hold bfloat16 elements as uint16.
    static Tensor As(Tensor tensor, DataType type) => type == DataType.BFloat16 && tensor.Type == DataType.UInt16
        ? Tensor.OfBytes(type, tensor.ToArray<byte>(), tensor.Sizes.AsSpan())
        : tensor;
}
