using Build.ML.Data.Unicode;

namespace Build.ML.Data.Tests;

public sealed class UnicodeFormsTests
{
    // From the Unicode Standard and UAX #15 (figures 3 to 6, and Hangul of section 3.12).
    [Theory]
    [InlineData("plain", "plain")]
    [InlineData("\ufb01 \u2460 \uff21 \u00b2", "fi 1 A 2")]
    [InlineData("e\u0301", "\u00e9")]
    [InlineData("\u212b", "\u00c5")]
    [InlineData("\u1e9b\u0323", "\u1e69")]
    [InlineData("d\u0307\u0323", "\u1e0d\u0307")]
    [InlineData("\u1112\u1161\u11ab\u1100\u1173\u11af", "\ud55c\uae00")]
    [InlineData("\ud55c", "\ud55c")]
    [InlineData("\u0958", "\u0915\u093c")]
    [InlineData("\u00a8\u0301", " \u0308\u0301")]
    [InlineData("\ud835\udc00\ud834\udd5e", "A\ud834\udd57\ud834\udd65")]
    [InlineData("a\u0327\u0301\u0301", "\u00e1\u0327\u0301")]
    [InlineData("x\ud800y", "x\ud800y")]
    public void Texts_become_their_compatible_form(string text, string expected)
    {
        Assert.Equal(expected, UnicodeForms.Compatible(text));
        Assert.Equal(expected, UnicodeForms.Compatible(expected));
    }

    [Theory]
    [InlineData("Cr\u00e8me br\u00fbl\u00e9e", "Creme brulee")]
    [InlineData("\u1e69 \ufb01 \ud83d\ude00", "s \ufb01 \ud83d\ude00")]
    public void Marks_are_taken_off(string text, string expected) => Assert.Equal(expected, UnicodeForms.WithoutMarks(text));
}
