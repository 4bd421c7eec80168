using System.Collections.Immutable;
using Build.ML.Abstractions.Data;
using Build.ML.Data.Files;
using Build.ML.Data.Tokenizers;
using Build.ML.Graph.Tensors;

namespace Build.ML.Data.Texts;

/// <summary>A text that is read when asked for, and what is known about it.</summary>
/// <param name="Read">Reads it; called from any thread.</param>
/// <param name="Label">The right answer.</param>
internal readonly record struct LabelledText(Func<string> Read, Label Label);

/// <summary>Texts as samples of ids.</summary>
internal static class TextSamples
{
    /// <summary>The samples.</summary>
    /// <param name="texts">The texts in order.</param>
    /// <param name="options">How they become ids.</param>
    /// <param name="file">Named in messages.</param>
    /// <exception cref="Graph.Diagnostics.DiagnosticException">BML5204: the vocabulary lacks a special token, or there is too little text
    /// to pack; and what opening the vocabulary throws.</exception>
    public static DataSet Of(IReadOnlyList<LabelledText> texts, TextOptions options, string file)
    {
        var encoder = options.Tokenizer.Open();
        var begin = IdOf(options.Tokenizer.Begin, "begin", encoder, file);
        var end = IdOf(options.Tokenizer.End, "end", encoder, file);
        if (options.Pack)
        {
            return Packed(texts, options, encoder, begin, end, file);
        }

        var pad = options.Padding ? IdOf(options.Tokenizer.Pad, "pad", encoder, file) ?? 0 : 0;
        var known = new int[texts.Count][]; // filled as texts are asked for; two threads would write the same
        return new IndexedDataSet(texts.Count, i =>
        {
            var ids = known[i] ??= Ids(encoder.Encode(texts[i].Read(), options.Length), begin, end, options.Length);
            return new Sample(Inputs(ids, pad, options), texts[i].Label);
        });
    }

    private static int? IdOf(string token, string option, TokenEncoder encoder, string file) => token.Length == 0
        ? null : encoder.IdOf(token) ?? throw DataErrors.DoesNotFit(file,
            $"The vocabulary of its tokenizer has no token '{token}'. Write another one under '{option}' of the tokenizer, or an empty one for none.");

    private static int[] Ids(IReadOnlyList<int> text, int? begin, int? end, int length)
    {
        var room = length - (begin is null ? 0 : 1) - (end is null ? 0 : 1);
        var ids = new List<int>(Math.Min(text.Count, room) + 2);
        if (begin is { } first)
        {
            ids.Add(first);
        }

        for (var i = 0; i < Math.Min(text.Count, room); i++)
        {
            ids.Add(text[i]);
        }

        if (end is { } last)
        {
            ids.Add(last);
        }

        return [.. ids];
    }

    private static ImmutableArray<KeyValuePair<string, Tensor>> Inputs(int[] ids, int pad, TextOptions options)
    {
        var length = options.Padding ? options.Length : ids.Length;
        var inputs = ImmutableArray.CreateBuilder<KeyValuePair<string, Tensor>>(3);
        var padded = new long[length];
        for (var i = 0; i < ids.Length; i++)
        {
            padded[i] = ids[i];
        }

        padded.AsSpan(ids.Length).Fill(pad);
        inputs.Add(new(options.Input, Tensor.Of(padded, length)));
        if (options.Mask.Length > 0)
        {
            var mask = new long[length];
            mask.AsSpan(0, ids.Length).Fill(1);
            inputs.Add(new(options.Mask, Tensor.Of(mask, length)));
        }

        if (options.TypeIds.Length > 0)
        {
            inputs.Add(new(options.TypeIds, Tensor.Of(new long[length], length)));
        }

        return inputs.ToImmutable();
    }

    private static IndexedDataSet Packed(IReadOnlyList<LabelledText> texts, TextOptions options, TokenEncoder encoder, int? begin, int? end, string file)
    {
        var stream = new List<int>();
        for (var i = 0; i < texts.Count; i++)
        {
            stream.AddRange(Ids(encoder.Encode(texts[i].Read()), begin, end, int.MaxValue));
        }

        // The last id of a sample's label is the first of the next sample.
        var count = (stream.Count - 1) / options.Length;
        return count > 0
            ? new IndexedDataSet(count, i =>
            {
                var start = i * options.Length;
                return new Sample(Inputs([.. stream[start..(start + options.Length)]], 0, options), new Label { Target = Tensor.Of(Next(start + 1), options.Length) });
            })
            : throw DataErrors.DoesNotFit(file, $"There are {stream.Count} tokens in all texts, a sample takes {options.Length + 1}. Make 'length' less, or add text.");

        long[] Next(int start)
        {
            var ids = new long[options.Length];
            for (var i = 0; i < ids.Length; i++)
            {
                ids[i] = stream[start + i];
            }

            return ids;
        }
    }
}
