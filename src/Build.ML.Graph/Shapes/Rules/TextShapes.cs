namespace Build.ML.Graph.Shapes.Rules;

/// <summary>Operators on strings.</summary>
[ShapeRules]
sealed class TextShapes : ShapeRuleTable
{
    public TextShapes()
    {
        // Stop words remove elements: the last dimension is data-dependent.
        Rule("StringNormalizer", c => c.Set(0, DataType.String, c.ShapeOf(0)?.With(-1, Dimension.Unknown)));
        Rule("TfIdfVectorizer", c =>
        {
            var size = c.Ints("ngram_indexes") is { Length: > 0 } indexes ? indexes.Max() + 1 : 0;
            c.Set(0, DataType.Float, c.ShapeOf(0) is { Rank: > 0 } x ? new Shape([.. x.Dimensions[..^1], size]) : null);
        });
        Rule("RegexFullMatch", c => c.Set(0, DataType.Bool, c.ShapeOf(0)));
        Rule("StringSplit", c =>
        {
            c.Set(0, DataType.String, c.ShapeOf(0) is { } x ? new Shape([.. x.Dimensions, Dimension.Unknown]) : null);
            c.Set(1, DataType.Int64, c.ShapeOf(0));
        });
        Rule("Tokenizer", c => c.Set(0, DataType.String, c.ShapeOf(0) is { } x ? new Shape([.. x.Dimensions, Dimension.Unknown]) : null), Microsoft);
    }
}
