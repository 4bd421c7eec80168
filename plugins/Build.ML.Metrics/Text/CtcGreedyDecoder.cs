using System.Collections.Immutable;
using System.Text;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Tensors;
using Build.ML.Metrics.Outputs;

namespace Build.ML.Metrics.Text;

/// <summary>
/// Best-path decoding of connectionist temporal classification (Graves et al. 2006, section 3.2): the best class of each step, repeats merged, blanks
/// dropped.
/// </summary>
/// <param name="classes">Text of each class; the blank's is not used.</param>
/// <param name="blank">Class of the blank.</param>
internal sealed class CtcGreedyDecoder(ImmutableArray<string> classes, int blank) : ITextDecoder
{
    /// <summary>Reads the characters.</summary>
    /// <exception cref="DiagnosticException">BML6104: no file named, or it cannot be read.</exception>
    public static CtcGreedyDecoder Of(TextOptions options)
    {
        if (options.Charset is not { } charset)
        {
            throw new DiagnosticException("BML6104", "The output holds scores, so 'charset' is needed: a file with one character a line, in class order.");
        }

        try
        {
            // Lines end with LF or CRLF only: a charset may well hold other separators as characters.
            var lines = File.ReadAllText(charset.Path, Encoding.UTF8).Split('\n').Select(l => l.TrimEnd('\r')).ToList();
            if (lines[^1].Length == 0)
            {
                lines.RemoveAt(lines.Count - 1);
            }

            if (options.Space)
            {
                lines.Add(" ");
            }

            if (options.Blank > lines.Count)
            {
                throw new DiagnosticException(
                    "BML6104", $"'blank' is {options.Blank}, but with {lines.Count} characters the classes are 0 to {lines.Count}.", new(charset.Path));
            }

            lines.Insert(options.Blank, "");
            return new CtcGreedyDecoder([.. lines], options.Blank);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new DiagnosticException("BML6104", $"The charset cannot be read: {e.Message}", new(charset.Path));
        }
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> Decode(Tensor output)
    {
        var scores = OutputScores.Of([output], 0);
        if (output.Rank != 3 || scores.Classes != classes.Length)
        {
            throw new DiagnosticException(
                "BML6104", $"The output is {output}, expected scores [batch, steps, {classes.Length}]: a blank and {classes.Length - 1} characters. "
                + "Check 'output', 'charset' and 'space'.");
        }

        var steps = (int)output.Sizes[1];
        var texts = new string[output.Sizes[0]];
        var text = new StringBuilder();
        for (var sample = 0; sample < texts.Length; sample++)
        {
            text.Clear();
            var last = blank;
            for (var step = 0; step < steps; step++)
            {
                var best = scores.ArgMax((sample * steps) + step);
                if (best != last && best != blank)
                {
                    text.Append(classes[best]);
                }

                last = best;
            }

            texts[sample] = text.ToString();
        }

        return texts;
    }
}
