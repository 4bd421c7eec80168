namespace Build.ML.Graph.Shapes;

/// <summary>Combines two statements about one value's type.</summary>
static class TypeMerge
{
    /// <summary>
    /// Everything that either type says; where both say different things, <paramref name="first"/> wins and <paramref name="contradict"/> is true.
    /// </summary>
    public static OnnxType? Refine(OnnxType? first, OnnxType? second, ref bool contradict)
    {
        switch (first, second)
        {
            case (null, _):
                return second;
            case (_, null):
                return first;
            case (TensorType a, TensorType b):
                contradict |= a.ElementType != b.ElementType && b.ElementType != DataType.Undefined;
                return a with { Shape = Refine(a.Shape, b.Shape, ref contradict), Denotation = b.Denotation };
            case (SparseTensorType a, SparseTensorType b):
                contradict |= a.ElementType != b.ElementType;
                return a with { Shape = Refine(a.Shape, b.Shape, ref contradict), Denotation = b.Denotation };
            case (SequenceType a, SequenceType b):
                return b with { ElementType = Refine(a.ElementType, b.ElementType, ref contradict) };
            case (OptionalType a, OptionalType b):
                return b with { ElementType = Refine(a.ElementType, b.ElementType, ref contradict) };
            case (MapType, MapType):
                return second;
            default:
                contradict |= first.GetType() != second.GetType();
                return first;
        }
    }

    /// <summary>What both types say: the type of a value that is one or the other (a branch of If, an iteration of Loop).</summary>
    public static OnnxType? Common(OnnxType? first, OnnxType? second) => (first, second) switch
    {
        (TensorType a, TensorType b) when a.ElementType == b.ElementType => new TensorType(a.ElementType, Common(a.Shape, b.Shape)),
        (SparseTensorType a, SparseTensorType b) when a.ElementType == b.ElementType => new SparseTensorType(a.ElementType, Common(a.Shape, b.Shape)),
        (SequenceType a, SequenceType b) => new SequenceType(Common(a.ElementType, b.ElementType)),
        (OptionalType a, OptionalType b) => new OptionalType(Common(a.ElementType, b.ElementType)),
        _ => first == second ? first : null,
    };

    /// <summary>The dimensions both shapes share, unknown elsewhere; null when ranks differ.</summary>
    public static Shape? Common(Shape? a, Shape? b)
    {
        if (a is null || b is null || a.Rank != b.Rank)
        {
            return null;
        }

        var dimensions = new Dimension[a.Rank];
        for (var i = 0; i < dimensions.Length; i++)
        {
            dimensions[i] = a[i] == b[i] ? a[i] : Dimension.Unknown;
        }

        return new Shape(dimensions);
    }

    private static Shape? Refine(Shape? a, Shape? b, ref bool contradict)
    {
        if (a is null || b is null)
        {
            return a ?? b;
        }

        if (a.Rank != b.Rank)
        {
            contradict = true;
            return a;
        }

        var dimensions = new Dimension[a.Rank];
        for (var i = 0; i < dimensions.Length; i++)
        {
            contradict |= a[i].IsKnown && b[i].IsKnown && a[i] != b[i];
            dimensions[i] = a[i].IsKnown || (!b[i].IsKnown && a[i].Symbol is not null) ? a[i] : b[i];
        }

        return new Shape(dimensions);
    }
}
