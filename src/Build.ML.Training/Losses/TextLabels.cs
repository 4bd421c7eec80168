using System.Collections.Immutable;
using Build.ML.Abstractions.Inference;
using Build.ML.Training.Feed;

namespace Build.ML.Training;

/// <summary>Texts as classes, and what the recursion of CTC needs of them.</summary>
internal sealed class TextLabels
{
    private readonly ConnectionistTemporalClassification _options;
    private readonly int _steps;
    private readonly long _classes;
    private readonly Dictionary<string, long>? _pieces;
    private readonly int _longest = 1;

    /// <summary>Reads the charset.</summary>
    /// <param name="options">Of the loss.</param>
    /// <param name="steps">Steps of the model.</param>
    /// <param name="classes">Its classes, the blank included.</param>
    /// <exception cref="Graph.Diagnostics.DiagnosticException">BML6058: the charset has another number of characters than the model has classes.</exception>
    public TextLabels(ConnectionistTemporalClassification options, int steps, long classes)
    {
        (_options, _steps, _classes) = (options, steps, classes);
        if (options.Charset is not { } charset)
        {
            return;
        }

        // Lines end with LF or CRLF only: a charset may well hold other separators as characters.
        var lines = File.ReadAllText(charset.Path).Split('\n').Select(l => l.TrimEnd('\r')).ToList();
        if (lines[^1].Length == 0)
        {
            lines.RemoveAt(lines.Count - 1);
        }

        if (options.Space)
        {
            lines.Add(" ");
        }

        if (lines.Count + 1 != classes)
        {
            throw new Graph.Diagnostics.DiagnosticException(
                "BML6058",
                $"The charset '{Path.GetFileName(charset.Path)}' has {lines.Count} characters{(options.Space ? ", the space included," : "")} and with the blank {lines.Count + 1} classes; the model has "
                + $"{classes}. Name the model's own charset, or change 'space'.");
        }

        _pieces = new Dictionary<string, long>(StringComparer.Ordinal);
        for (var i = 0; i < lines.Count; i++)
        {
            _pieces.TryAdd(lines[i], i < options.Blank ? i : i + 1);
            _longest = Math.Max(_longest, lines[i].Length);
        }
    }

    /// <summary>int64 [batch, 1, states]: the text with blanks before, between and behind its characters, then blanks.</summary>
    public void WritePath(FeedBatch batch, TensorBuffer buffer)
    {
        var all = buffer.Span<long>();
        all.Fill(_options.Blank);
        for (var i = 0; i < batch.Labels.Length; i++)
        {
            var text = Classes(batch, i);
            var row = all.Slice(i * (all.Length / batch.Labels.Length));
            for (var s = 0; s < text.Length; s++)
            {
                row[2 * s + 1] = text[s];
            }
        }
    }

    /// <summary>float [batch, 1, states]: 0 where two states may be passed over at once, else <paramref name="never"/>.</summary>
    public void WriteSkips(FeedBatch batch, TensorBuffer buffer, float never)
    {
        var all = buffer.Span<float>();
        all.Fill(never);
        for (var i = 0; i < batch.Labels.Length; i++)
        {
            var text = Classes(batch, i);
            var row = all.Slice(i * (all.Length / batch.Labels.Length));
            for (var s = 1; s < text.Length; s++)
            {
                row[2 * s + 1] = text[s] == text[s - 1] ? never : 0;
            }
        }
    }

    /// <summary>float [batch, 1, states]: 0 at the last character and the blank behind it, else <paramref name="never"/>.</summary>
    public void WriteEnds(FeedBatch batch, TensorBuffer buffer, float never)
    {
        var all = buffer.Span<float>();
        all.Fill(never);
        for (var i = 0; i < batch.Labels.Length; i++)
        {
            var length = Classes(batch, i).Length;
            var row = all.Slice(i * (all.Length / batch.Labels.Length));
            row[2 * length] = 0;
            if (length > 0)
            {
                row[2 * length - 1] = 0;
            }
        }
    }

    /// <summary>float [batch]: 1, and 0 for texts left out.</summary>
    public void WriteCounts(FeedBatch batch, TensorBuffer buffer)
    {
        var counts = buffer.Span<float>();
        for (var i = 0; i < counts.Length; i++)
        {
            counts[i] = Fits(Encode(batch, i)) ? 1 : 0;
        }
    }

    private ImmutableArray<long> Classes(FeedBatch batch, int i)
    {
        var text = Encode(batch, i);
        return Fits(text) ? text
            : _options.SkipTooLong ? []
            : throw LossErrors.WrongLabel(
                batch.Indices[i],
                $"a text of {text.Length} characters that takes {StepsFor(text)} steps",
                $"at most {_options.MaxLength} characters and {_steps} steps; raise 'max_length', widen the images, or set 'skip_too_long'");
    }

    private bool Fits(ImmutableArray<long> text) => text.Length <= _options.MaxLength && StepsFor(text) <= _steps;

    // Equal neighbours need a blank between them.
    private static int StepsFor(ImmutableArray<long> text)
    {
        var steps = text.Length;
        for (var i = 1; i < text.Length; i++)
        {
            steps += text[i] == text[i - 1] ? 1 : 0;
        }

        return steps;
    }

    private ImmutableArray<long> Encode(FeedBatch batch, int i)
    {
        var label = batch.Labels[i];
        if (_pieces is null)
        {
            var target = label.Target ?? throw LossErrors.NoLabel(batch.Indices[i], "target of class indices (Label.Target); name a 'charset' where labels are texts");
            var values = new long[target.Count];
            LabelWriters.Read(target, batch.Indices[i], values);
            return values.All(v => v >= 0 && v < _classes && v != _options.Blank)
                ? [.. values]
                : throw LossErrors.WrongLabel(batch.Indices[i], string.Join(' ', values), $"classes of 0 to {_classes - 1} other than the blank {_options.Blank}");
        }

        var text = label.Text ?? throw LossErrors.NoLabel(batch.Indices[i], "text (Label.Text)");
        var encoded = ImmutableArray.CreateBuilder<long>(text.Length);
        for (var at = 0; at < text.Length;)
        {
            var length = Math.Min(_longest, text.Length - at);
            long piece = -1;
            while (length > 0 && !_pieces.TryGetValue(text.Substring(at, length), out piece))
            {
                length--;
            }

            if (length == 0)
            {
                throw LossErrors.WrongLabel(batch.Indices[i], $"\"{text}\"", $"characters of the charset, which '{System.Text.Rune.GetRuneAt(text, at)}' is not");
            }

            encoded.Add(piece);
            at += length;
        }

        return encoded.ToImmutable();
    }
}
