using System.Collections.Immutable;

namespace Build.ML.Graph.Shapes.Rules;

/// <summary>Classical machine learning: ai.onnx.ml.</summary>
[ShapeRules]
sealed class ClassicalShapes : ShapeRuleTable
{
    private const string Ml = "ai.onnx.ml";

    public ClassicalShapes()
    {
        Rule(["Scaler", "Normalizer"], c => c.Set(0, DataType.Float, c.ShapeOf(0)), Ml);
        Rule(["Binarizer", "Imputer"], c => c.Set(0, c.ElementOf(0), c.ShapeOf(0)), Ml);
        Rule("LabelEncoder", c => c.Set(0, Encoded(c), c.ShapeOf(0)), Ml);
        Rule(["LinearRegressor", "TreeEnsembleRegressor"], c => c.Set(0, DataType.Float, Scores(c, c.Int("targets", c.Int("n_targets", 1)))), Ml);
        Rule(["LinearClassifier", "SVMClassifier", "TreeEnsembleClassifier"], c =>
        {
            var strings = c.Attribute("classlabels_strings")?.Value is ImmutableArray<ReadOnlyMemory<byte>> { Length: > 0 } s ? s.Length : 0;
            var names = c.Ints("classlabels_ints") ?? c.Ints("classlabels_int64s");
            c.Set(0, strings > 0 ? DataType.String : DataType.Int64, c.ShapeOf(0) is { Rank: 2 } x ? new Shape(x[0]) : ShapeFormulas.OfRank(1));
            c.Set(1, DataType.Float, Scores(c, strings > 0 ? strings : names?.Length ?? 0));
        }, Ml);
        Rule("ZipMap", c => c.Set(0, new SequenceType(new MapType(
            c.Attribute("classlabels_strings") is null ? DataType.Int64 : DataType.String, new TensorType(DataType.Float)))), Ml);
    }

    private static Shape? Scores(ShapeContext c, long count) => c.ShapeOf(0) is { Rank: 2 } x ? new Shape(x[0], count > 0 ? count : Dimension.Unknown) : null;

    private static DataType Encoded(ShapeContext c) =>
        c.Attribute("values_strings") is not null ? DataType.String
        : c.Attribute("values_int64s") is not null ? DataType.Int64
        : c.Attribute("values_floats") is not null ? DataType.Float
        : c.Attribute("classes_strings") is not null ? (c.ElementOf(0) == DataType.String ? DataType.Int64 : DataType.String)
        : DataType.Undefined;
}
