using Build.ML.Graph.Diagnostics;

namespace Build.ML.Quantization;

/// <summary>Checks the option <c>op_types</c>.</summary>
internal static class OpTypeCheck
{
    /// <summary>Each name must be an operator the technique knows.</summary>
    /// <exception cref="DiagnosticException">BML5402 for each that is not.</exception>
    public static void Require(IEnumerable<string> opTypes, IEnumerable<string> known)
    {
        var names = known.Order(StringComparer.Ordinal).ToArray();
        var errors = opTypes.Where(o => !names.Contains(o))
            .Select(o => new Diagnostic("BML5402", $"op_types names '{o}', which this technique does not quantize. It knows {string.Join(", ", names)}."))
            .ToArray();
        if (errors.Length > 0)
        {
            throw new DiagnosticException(errors);
        }
    }
}
