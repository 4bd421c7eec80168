using System.Text;
using Build.ML.Abstractions.Data;
using Build.ML.Data.Files;
using Build.ML.Data.Texts;

namespace Build.ML.Data;

/// <summary>
/// Plain text files, each a text, or each line one: for classification with a class for each file, or packed for language models. Samples
/// are int64[length] ids, with an attention mask and
/// token types of the same shape where their inputs are named.
/// </summary>
[DataReader("text")]
public sealed class TextReader : DataReader<TextReader.Options>
{
    /// <summary>How bytes are characters.</summary>
    public enum TextEncoding
    {
        /// <summary>UTF-8, with or without a byte order mark; anything else is an error.</summary>
        Utf8,

        /// <summary>ISO 8859-1: each byte is a character.</summary>
        Latin1,
    }

    /// <summary>What to read and how texts become ids.</summary>
    public sealed record Options : TextFileOptions
    {
        /// <summary>Whether each line that is not blank is a text of its own. Default false: each file is one.</summary>
        public bool Lines { get; init; }

        /// <summary>How bytes are characters. Default <c>utf8</c>.</summary>
        public TextEncoding Encoding { get; init; } = TextEncoding.Utf8;
    }

    /// <inheritdoc/>
    public override DataSet Read(Options options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var texts = new List<LabelledText>();
        foreach (var file in TextFiles.Of(options))
        {
            if (!options.Lines)
            {
                texts.Add(new(() => Decode(file, options.Encoding), file.Label));
                continue;
            }

            foreach (var line in Decode(file, options.Encoding).Split('\n'))
            {
                if (!string.IsNullOrWhiteSpace(line))
                {
                    var text = line.TrimEnd('\r');
                    texts.Add(new(() => text, file.Label));
                }
            }
        }

        return TextSamples.Of(texts, options, options.Path.Path);
    }

    private static string Decode(TextFile file, TextEncoding encoding)
    {
        var bytes = file.Read().AsSpan();
        if (encoding == TextEncoding.Latin1)
        {
            return Encoding.Latin1.GetString(bytes);
        }

        bytes = bytes.StartsWith(Encoding.UTF8.Preamble) ? bytes[3..] : bytes;
        var valid = System.Text.Unicode.Utf8.IsValid(bytes) ? -1 : FirstInvalid(bytes);
        return valid < 0 ? Encoding.UTF8.GetString(bytes)
            : throw DataErrors.Malformed(file.Name, valid, $"byte 0x{bytes[valid]:x2}", "UTF-8 (or set 'encoding: latin1')");
    }

    private static int FirstInvalid(ReadOnlySpan<byte> bytes)
    {
        var offset = 0;
        while (offset < bytes.Length && Rune.DecodeFromUtf8(bytes[offset..], out _, out var length) == System.Buffers.OperationStatus.Done)
        {
            offset += length;
        }

        return offset;
    }
}
