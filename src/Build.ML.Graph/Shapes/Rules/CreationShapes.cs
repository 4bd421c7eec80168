using System.Collections.Immutable;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Shapes.Rules;

/// <summary>Operators that make tensors from attributes and shapes.</summary>
[ShapeRules]
sealed class CreationShapes : ShapeRuleTable
{
    public CreationShapes()
    {
        Rule("Constant", Constant);
        Rule("ConstantOfShape", ConstantOfShape);
        Rule("Shape", ShapeOf);
        Rule("Size", c =>
        {
            c.Set(0, DataType.Int64, new Shape());
            if (c.ShapeOf(0) is { } x)
            {
                c.SetData(0, [ShapeFormulas.Product(x.Dimensions.AsSpan())]);
            }
        });
        Rule("Range", Range);
        Rule(["RandomNormal", "RandomUniform"], c => c.Set(
            0, c.Element("dtype", DataType.Float), c.Ints("shape") is { } sizes ? Shape.Of(sizes.AsSpan()) : null));
        Rule("Multinomial", c => c.Set(
            0, c.Element("dtype", DataType.Int32), c.ShapeOf(0) is { Rank: 2 } x ? new Shape(x[0], c.Int("sample_size", 1)) : ShapeFormulas.OfRank(2)));
        Rule(["HannWindow", "HammingWindow", "BlackmanWindow"], c => c.Set(
            0, c.Element("output_datatype", DataType.Float), c.DataOf(0) is { IsDefault: false } size ? new Shape(size[0].ToDimension()) : ShapeFormulas.OfRank(1)));
    }

    private static void Constant(ShapeContext c)
    {
        var attribute = c.Node.Attributes is [var only] ? c.Attribute(only.Name) : null;
        switch (attribute?.Value)
        {
            case Tensor tensor:
                c.Set(0, tensor.Type, tensor.Shape);
                break;
            case SparseTensor sparse:
                c.Set(0, sparse.Values.Type, Shape.Of(sparse.Sizes.AsSpan()));
                break;
            case float:
                c.Set(0, DataType.Float, new Shape());
                break;
            case long value:
                c.Set(0, DataType.Int64, new Shape());
                c.SetData(0, [value]);
                break;
            case ReadOnlyMemory<byte>:
                c.Set(0, DataType.String, new Shape());
                break;
            case ImmutableArray<float> floats:
                c.Set(0, DataType.Float, new Shape(floats.Length));
                break;
            case ImmutableArray<long> values:
                c.Set(0, DataType.Int64, new Shape(values.Length));
                c.SetData(0, [.. values.Take(TypeInferrer.MaxDataLength + 1).Select(v => new SymbolicInteger(v))]);
                break;
            case ImmutableArray<ReadOnlyMemory<byte>> strings:
                c.Set(0, DataType.String, new Shape(strings.Length));
                break;
            default:
                c.Fail("a Constant must have exactly one attribute, the value");
                break;
        }
    }

    private static void ConstantOfShape(ShapeContext c)
    {
        var value = c.Attribute("value")?.Value as Tensor;
        var sizes = c.DataOf(0);
        var shape = sizes.IsDefault
            ? c.ShapeOf(0) is { Rank: 1 } s && s[0].Size is { } rank and <= 64 ? ShapeFormulas.OfRank((int)rank) : null
            : sizes.ToShape();
        c.Set(0, value?.Type ?? DataType.Float, shape);
        if (value is { Type: DataType.Int64, Count: 1 } && shape is { Rank: <= 1 } && shape.Count is { } count and <= TypeInferrer.MaxDataLength)
        {
            c.SetData(0, [.. Enumerable.Repeat(new SymbolicInteger(value.ToArray<long>()[0]), (int)count)]);
        }
    }

    private static void ShapeOf(ShapeContext c)
    {
        if (c.ShapeOf(0) is not { } x)
        {
            c.Set(0, DataType.Int64, ShapeFormulas.OfRank(1));
            return;
        }

        // start and end (version 15) count from the end when negative and are clamped.
        var start = Clamp(c.Int("start", 0), x.Rank);
        var end = Math.Max(start, Clamp(c.Int("end", x.Rank), x.Rank));
        var data = x.Dimensions[start..end].Select(d => (SymbolicInteger)d).ToImmutableArray();
        c.Set(0, DataType.Int64, new Shape(data.Length));
        c.SetData(0, data);
    }

    private static int Clamp(long position, int rank) => (int)Math.Clamp(position < 0 ? position + rank : position, 0, rank);

    /// <summary>max(0, ⌈(limit − start) / delta⌉) elements.</summary>
    private static void Range(ShapeContext c)
    {
        var length = Dimension.Unknown;
        if (c.ConstantOf(0) is { Type: DataType.Float or DataType.Double } from && c.ConstantOf(1) is { } to && c.ConstantOf(2) is { } by)
        {
            length = (long)Math.Max(0, Math.Ceiling((Scalar(to) - Scalar(from)) / Scalar(by)));
        }
        else if (c.ScalarOf(2).Value is { } delta and not 0)
        {
            var span = c.ScalarOf(1) - c.ScalarOf(0);
            length = span.Value is { } known ? Math.Max(0, (known + delta - Math.Sign(delta)) / delta) : delta == 1 ? span.ToDimension() : Dimension.Unknown;
        }

        c.Set(0, c.ElementOf(0), new Shape(length));
    }

    private static double Scalar(Tensor tensor) => tensor.Type == DataType.Double ? tensor.ToArray<double>()[0] : tensor.ToArray<float>()[0];
}
