using System.Text;
using Build.ML.Abstractions.References;
using Build.ML.Data.Unicode;

namespace Build.ML.Data.Tokenizers;

/// <summary>
/// A unigram language model over pieces, as SentencePiece trains it and JSON files carry it: the split whose pieces have the greatest sum
/// of log probabilities (Kudo: Subword regularization,
/// 2018), found by Viterbi's algorithm. Texts become NFKC with single blanks, a blank in front, and blanks as ▁ (U+2581), which is what
/// SentencePiece's own normalization does to
/// ordinary text.
/// </summary>
[Tokenizer("unigram")]
public sealed record Unigram : TextTokenizer
{
    private const char Blank = '\u2581';

    // A character in no piece counts as this much less likely than the least likely piece, as in SentencePiece.
    private const double UnknownPenalty = 10;

    /// <summary>
    /// The vocabulary: a JSON array of pairs of piece and log probability, or <c>tokenizer.json</c>. Pieces of score 0 are control symbols
    /// and not found in texts.
    /// </summary>
    public required FileReference Vocabulary { get; init; }

    /// <inheritdoc/>
    public override TokenEncoder Open()
    {
        var file = VocabularyFile.Read(Vocabulary.Path);
        return file.Scores.Any(s => s != 0) ? new Encoder(file) : throw file.Lacks("scores");
    }

    private sealed class Encoder : TokenEncoder
    {
        private readonly VocabularyFile _file;
        private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _pieces;
        private readonly int _longest;
        private readonly bool _crossesBlanks;
        private readonly int _unknown;
        private readonly double _unknownScore;

        public Encoder(VocabularyFile file)
        {
            _file = file;
            _unknown = file.UnknownId ?? 0;
            var pieces = new Dictionary<string, int>(StringComparer.Ordinal);
            var first = 0;
            while (file.Scores[first] == 0)
            {
                first++;
            }

            foreach (var (piece, id) in file.Ids)
            {
                if (id >= first && piece.Length > 0 && !file.Special.ContainsKey(piece))
                {
                    pieces.Add(piece, id);
                    _crossesBlanks |= piece.IndexOf(Blank, 1) > 0;
                    _longest = Math.Max(_longest, piece.Length);
                    _unknownScore = Math.Min(_unknownScore, file.Scores[id]);
                }
            }

            _unknownScore -= UnknownPenalty;
            _pieces = pieces.GetAlternateLookup<ReadOnlySpan<char>>();
        }

        public override int? IdOf(string token) => _file.IdOf(token);

        public override IReadOnlyList<int> Encode(string text, int limit)
        {
            var symbols = Normalized(text);
            var result = new List<int>();
            for (int start = 0, end; start < symbols.Length && result.Count < limit; start = end)
            {
                // Where no piece goes on over a blank, words split each by itself.
                end = _crossesBlanks ? -1 : symbols.IndexOf(Blank, start + 1);
                end = end < 0 ? symbols.Length : end;
                Add(symbols.AsSpan(start, end - start), result);
            }

            return result;
        }

        private void Add(ReadOnlySpan<char> symbols, List<int> result)
        {
            var best = new double[symbols.Length + 1];
            var from = new int[symbols.Length + 1];
            var ids = new int[symbols.Length + 1];
            best.AsSpan(1).Fill(double.NegativeInfinity);
            for (var start = 0; start < symbols.Length; start++)
            {
                if (char.IsLowSurrogate(symbols[start]) && start > 0 && char.IsHighSurrogate(symbols[start - 1]))
                {
                    continue;
                }

                var character = char.IsHighSurrogate(symbols[start]) && start + 1 < symbols.Length ? 2 : 1;
                Reach(start, character, _unknown, _unknownScore);
                for (var length = 1; length <= Math.Min(_longest, symbols.Length - start); length++)
                {
                    if (_pieces.TryGetValue(symbols.Slice(start, length), out var id))
                    {
                        Reach(start, length, id, _file.Scores[id]);
                    }
                }
            }

            var first = result.Count;
            for (var end = symbols.Length; end > 0; end = from[end])
            {
                // Unknown characters in a row are one unknown token.
                if (ids[end] != _unknown || result.Count == first || result[^1] != _unknown)
                {
                    result.Add(ids[end]);
                }
            }

            result.Reverse(first, result.Count - first);
            if (first > 0 && result[first] == _unknown && result[first - 1] == _unknown)
            {
                result.RemoveAt(first);
            }

            void Reach(int start, int length, int id, double score)
            {
                if (best[start] + score > best[start + length])
                {
                    (best[start + length], from[start + length], ids[start + length]) = (best[start] + score, start, id);
                }
            }
        }

        private static string Normalized(string text)
        {
            var result = new StringBuilder(text.Length + 1);
            var blank = true;
            foreach (var c in UnicodeForms.Compatible(text))
            {
                if (char.IsWhiteSpace(c) || char.IsControl(c))
                {
                    blank = true;
                    continue;
                }

                if (blank)
                {
                    result.Append(Blank);
                    blank = false;
                }

                result.Append(c);
            }

            return result.ToString();
        }
    }
}
