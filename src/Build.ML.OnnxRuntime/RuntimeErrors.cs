using System.Text.RegularExpressions;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Tensors;
using Microsoft.ML.OnnxRuntime;

namespace Build.ML.OnnxRuntime;

/// <summary>What the runtime throws, as diagnostics that keep its own words.</summary>
internal static partial class RuntimeErrors
{
    /// <summary>BML5102 where the runtime lacks a kernel, else BML5101.</summary>
    public static DiagnosticException OnOpen(OnnxRuntimeException error, string model)
    {
        var (kind, message) = Parse(error);
        return kind == "NotImplemented"
            ? new("BML5102", $"ONNX Runtime {RuntimeEnvironment.Version} has no CPU kernel for a node of {model}: {message} "
                + "Change the operator, its types or the opset version.")
            : new("BML5101", $"ONNX Runtime {RuntimeEnvironment.Version} refuses {model} ({kind}): {message}");
    }

    /// <summary>BML5106 with the feeds' types.</summary>
    public static DiagnosticException OnRun(OnnxRuntimeException error, string model, string[] names, Tensor[] feeds)
    {
        var (kind, message) = Parse(error);
        var fed = string.Join(", ", names.Zip(feeds, (n, f) => $"'{n}' {f}"));
        return new("BML5106", $"ONNX Runtime {RuntimeEnvironment.Version} failed while running {model} on {fed} ({kind}): {message}");
    }

    /// <summary>BML5106 of a bound session.</summary>
    public static DiagnosticException OnRun(OnnxRuntimeException error, string model)
    {
        var (kind, message) = Parse(error);
        return new("BML5106", $"ONNX Runtime {RuntimeEnvironment.Version} failed while running {model} on bound buffers ({kind}): {message}");
    }

    private static (string Kind, string Message) Parse(OnnxRuntimeException error)
    {
        var match = Pattern().Match(error.Message);
        var message = (match.Success ? match.Groups[2].Value : error.Message).ReplaceLineEndings(" ").Trim();
        return (match.Success ? match.Groups[1].Value : "Fail", message);
    }

    // "[ErrorCode:NotImplemented] text": the code itself is internal to the runtime's C# interface.
    [GeneratedRegex(@"^\[ErrorCode:(\w+)\]\s*(.*)$", RegexOptions.Singleline | RegexOptions.CultureInvariant)]
    private static partial Regex Pattern();
}
