using System.Text.Json;
using Build.ML.Tasks.Json;

namespace Build.ML.Tasks.Tests;

public sealed class JsonTextTests
{
    [Theory]
    [InlineData("""{"a":[1,-2,3.5,1e3,true,false,null],"b":{"c":"x"}}""")]
    [InlineData("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\"")]
    [InlineData("  { }  ")]
    [InlineData("[]")]
    [InlineData("\"line\\nbreak\"")]
    [InlineData("9223372036854775807")]
    public void A_value_read_and_written_means_the_same_to_another_json_library(string text)
    {
        var written = JsonText.Write(JsonText.Parse(text));

        using var expected = JsonDocument.Parse(text);
        using var actual = JsonDocument.Parse(written);
        Assert.True(JsonElement.DeepEquals(expected.RootElement, actual.RootElement), written);
        Assert.DoesNotContain('\n', written); // one line: the protocol is line by line
    }

    [Fact]
    public void What_another_json_library_writes_is_read()
    {
        var path = "C:\\models\\größe \"1\"\t\u0001.onnx";
        var text = JsonSerializer.Serialize(new { path, lines = new[] { "a\r\nb" }, seconds = 0.125, count = 7L });

        var json = JsonText.ParseObject(text);

        Assert.Equal(path, json.Text("path"));
        Assert.Equal(["a\r\nb"], json.Texts("lines"));
        Assert.Equal((0.125, 7L), (json.Real("seconds"), json.Number("count")));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("[1,]")]
    [InlineData("{\"a\"}")]
    [InlineData("{\"a\":1} x")]
    [InlineData("\"open")]
    [InlineData("\"\\u12\"")]
    [InlineData("\"\\x\"")]
    [InlineData("nul")]
    [InlineData("-")]
    public void Text_that_is_no_json_is_refused(string text) => Assert.Throws<FormatException>(() => JsonText.Parse(text));

    [Fact]
    public void Nesting_without_end_is_refused_before_the_stack_ends() =>
        Assert.Throws<FormatException>(() => JsonText.Parse(new string('[', 100_000)));
}
