using Build.ML.Graph.Ir;

namespace Build.ML.Graph.Coupling;

/// <summary>
/// A constant as its readers see it. A weight (two dimensions or more) is one for all its readers: tied weights stay tied. A vector or scalar is one per
/// reader: exporters share equal ones between layers that have nothing to do with each other.
/// </summary>
sealed class ConstantUse(Value constant, DimensionLayout[] layouts)
{
    public Value Constant { get; } = constant;

    public DimensionLayout[] Layouts { get; } = layouts;

    /// <summary>The inputs that read it.</summary>
    public List<Use> Readers { get; } = [];

    /// <summary>What it is to each dimension, null for none (a kernel's width), and to which node.</summary>
    public (AxisRole Role, Node Reader)?[] Roles { get; } = new (AxisRole, Node)?[layouts.Length];
}
