using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.References;
using Build.ML.Data;
using Build.ML.Data.Tokenizers;
using Microsoft.ML.OnnxRuntime;

namespace SpamFilter;

/// <summary>
/// Tells spam from other mail. Mails are read and split into pieces by the code that the recipe's reader runs, so that the model sees what it
/// was trained on.
/// </summary>
/// <param name="model">The ONNX file: pieces and mask [batch, sequence] in, logits [batch, 2] out, spam is class 1.</param>
/// <param name="vocabulary">The encoder's pieces.</param>
internal sealed class MailClassifier(string model, string vocabulary) : IDisposable
{
    /// <summary>As in the recipe.</summary>
    private const int Length = 64;

    private readonly InferenceSession _session = new(model);

    /// <summary>Probability that a mail is spam, 0 to 1.</summary>
    /// <param name="file">The mail as it is transported, headers first.</param>
    public double ProbabilityOfSpam(string file)
    {
        var mails = new MailReader().Read(new()
        {
            Path = new FileReference(file),
            Tokenizer = new Unigram { Vocabulary = new FileReference(vocabulary) },
            Length = Length,
            Input = "input_ids",
            Mask = "attention_mask",
        });
        Sample mail = mails[0];
        using var ids = OrtValue.CreateTensorValueFromMemory(mail.Inputs[0].Value.ToArray<long>(), [1, Length]);
        using var mask = OrtValue.CreateTensorValueFromMemory(mail.Inputs[1].Value.ToArray<long>(), [1, Length]);
        using var options = new RunOptions();
        using var outputs = _session.Run(options, ["input_ids", "attention_mask"], [ids, mask], ["logits"]);
        var logits = outputs[0].GetTensorDataAsSpan<float>();
        return 1 / (1 + Math.Exp(logits[0] - logits[1]));
    }

    /// <inheritdoc/>
    public void Dispose() => _session.Dispose();
}
