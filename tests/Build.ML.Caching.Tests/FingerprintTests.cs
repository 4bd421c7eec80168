using Build.ML.Caching.Fingerprints;

namespace Build.ML.Caching.Tests;

public sealed class FingerprintTests
{
    [Fact]
    public void The_order_of_adding_does_not_matter()
    {
        var a = new FingerprintBuilder().Add("option sparsity", "0.5").Add("seed", "1").Build();
        var b = new FingerprintBuilder().Add("seed", "1").Add("option sparsity", "0.5").Build();
        Assert.Equal(a.Hash, b.Hash);
    }

    [Fact]
    public void Text_cannot_move_between_description_and_value_or_between_entries()
    {
        var hashes = new[]
        {
            new FingerprintBuilder().Add("ab", "c").Build(),
            new FingerprintBuilder().Add("a", "bc").Build(),
            new FingerprintBuilder().Add("a", "b").Add("c", "").Build(),
            new FingerprintBuilder().Add("a", "").Add("b", "c").Build(),
            new FingerprintBuilder().Add("a=b\n", "c").Build(),
            new FingerprintBuilder().Build(),
        }.Select(f => f.Hash).ToList();
        Assert.Equal(hashes.Count, hashes.Distinct().Count());
    }

    [Fact]
    public void The_hash_is_SHA256_of_length_prefixed_entries()
    {
        // 8-byte little-endian length, text, twice: by hand.
        byte[] expected = [1, 0, 0, 0, 0, 0, 0, 0, (byte)'a', 2, 0, 0, 0, 0, 0, 0, 0, (byte)'b', (byte)'c'];
        Assert.Equal(Files.FileHash.Of(expected), new FingerprintBuilder().Add("a", "bc").Build().Hash);
    }

    [Fact]
    public void The_text_form_comes_back_with_any_characters()
    {
        var fingerprint = new FingerprintBuilder().Add("option a=b\\", "line 1\nline 2\r\n\\n = ").Add("é", "").Build();
        var back = Fingerprint.Parse(fingerprint.ToText());
        Assert.Equal(fingerprint.Hash, back!.Hash);
        Assert.Equal(fingerprint.Entries.AsEnumerable(), back.Entries);
    }

    [Fact]
    public void A_damaged_text_form_is_refused_at_every_place()
    {
        var text = new FingerprintBuilder().Add("seed", "1").Add("technique", "prune").Build().ToText();
        for (var i = 0; i < text.Length; i++)
        {
            Assert.Null(Fingerprint.Parse(text[..i]));
            Assert.Null(Fingerprint.Parse(text[..i] + (char)(text[i] ^ 1) + text[(i + 1)..]));
        }
    }

    [Fact]
    public void The_difference_names_what_was_added_removed_and_changed()
    {
        var before = new FingerprintBuilder().Add("option sparsity", "0.3").Add("seed", "1").Add("data test", new string('a', 64)).Add("old", "x").Build();
        var after = new FingerprintBuilder().Add("option sparsity", "0.5").Add("seed", "1").Add("data test", new string('b', 64)).Add("new", "").Build();
        Assert.Equal(
            ["data test: content changed (aaaaaaaaaaaa -> bbbbbbbbbbbb)", "new: added, now empty", "old: removed, was x", "option sparsity: changed from 0.3 to 0.5"],
            FingerprintDiff.Between(before, after).Select(c => c.ToString()));
        Assert.Empty(FingerprintDiff.Between(before, before));
    }
}
