using Build.ML.Graph.Diagnostics;

namespace Build.ML.Graph.Text;

/// <summary>
/// The text form of models, close to ONNX's own textual syntax (docs/Syntax.md of ONNX), for tests, diffs and reading:
/// <code>
/// &lt;ir_version: 10, opset_import: ["": 21]&gt;
/// main (float[N,3] x) =&gt; (float[N,2] y)
/// &lt;float[3,2] w = {1, 2, 3, 4, 5, 6}&gt;
/// {
///   h = MatMul(x, w)
///   y = LeakyRelu&lt;alpha = 0.1&gt;(h)
/// }
/// </code>
/// A type without brackets has an unknown rank, <c>[]</c> is a scalar. Names with other characters than letters, digits and <c>_ . / : $ @ -</c> are quoted. A
/// node's name stands in brackets before it where it is not its first output's. <c>#</c> starts a comment.
/// </summary>
public static class ModelText
{
    /// <summary>Writes a model as text.</summary>
    /// <param name="model">Read only.</param>
    /// <param name="maxElements">Tensors with more elements are written as <c>{…}</c>, which cannot be parsed back; default 16.</param>
    /// <param name="types">Whether a comment behind each node tells the types of its outputs; default false.</param>
    public static string ToText(this Model model, int maxElements = 16, bool types = false)
    {
        ArgumentNullException.ThrowIfNull(model);
        return new TextWriter(maxElements, types).Write(model);
    }

    /// <summary>Reads a model from text.</summary>
    /// <param name="text">As <see cref="ToText"/> writes it.</param>
    /// <param name="file">Name that diagnostics show; default <c>text</c>.</param>
    /// <exception cref="DiagnosticException">BML2130 with line and column of the place that is not understood.</exception>
    public static Model Parse(string text, string file = "text")
    {
        ArgumentNullException.ThrowIfNull(text);
        return new TextParser(new TextLexer(text, file)).ParseModel();
    }
}
