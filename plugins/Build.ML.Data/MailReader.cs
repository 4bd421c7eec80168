using Build.ML.Abstractions.Data;
using Build.ML.Data.Texts;

namespace Build.ML.Data;

/// <summary>
/// E-mails as they are transported (RFC 5322 and MIME), one a file, such as the SpamAssassin corpus: the subject and what a reader sees of
/// the body become a text. Other headers are left out,
/// since they tell where a mail was collected. Nothing in a mail is an error: broken parts are read as they are.
/// </summary>
[DataReader("mail")]
public sealed class MailReader : DataReader<MailReader.Options>
{
    /// <summary>What to read and how texts become ids.</summary>
    public sealed record Options : TextFileOptions
    {
        /// <summary>Whether the text begins with the subject. Default true.</summary>
        public bool Subject { get; init; } = true;

        /// <summary>Whether the text has the body: its plain text, else its HTML without tags. Default true.</summary>
        public bool Body { get; init; } = true;
    }

    /// <inheritdoc/>
    public override DataSet Read(Options options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var texts = new List<LabelledText>();
        foreach (var file in TextFiles.Of(options))
        {
            texts.Add(new(() => TextOf(file.Read(), options), file.Label));
        }

        return TextSamples.Of(texts, options, options.Path.Path);
    }

    private static string TextOf(byte[] bytes, Options options)
    {
        var mail = MailText.Of(bytes);
        return (options.Subject, options.Body) switch
        {
            (true, true) => mail.Subject + "\n" + mail.Body,
            (true, false) => mail.Subject,
            (false, true) => mail.Body,
            _ => "",
        };
    }
}
