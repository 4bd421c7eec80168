namespace Build.ML.Recipes.Gates;

/// <summary>A side of a gate or a part of one.</summary>
/// <param name="Offset">Where it starts in the gate's text, from 0.</param>
public abstract record GateTerm(int Offset)
{
    /// <summary>The value, given the figures of metrics.</summary>
    public abstract double Evaluate(Func<GateMetric, double> value);

    /// <summary>The metrics inside, in the order written.</summary>
    public abstract IEnumerable<GateMetric> Metrics();
}

/// <summary>A constant.</summary>
/// <param name="Offset">Where it starts in the gate's text, from 0.</param>
/// <param name="Value">Its value.</param>
public sealed record GateNumber(int Offset, double Value) : GateTerm(Offset)
{
    /// <inheritdoc/>
    public override double Evaluate(Func<GateMetric, double> value) => Value;

    /// <inheritdoc/>
    public override IEnumerable<GateMetric> Metrics() => [];
}

/// <summary>A measured figure.</summary>
/// <param name="Offset">Where it starts in the gate's text, from 0.</param>
/// <param name="Model"><c>model</c>, a step's id, or null for the recipe's last step.</param>
/// <param name="Metric">Name of the figure.</param>
public sealed record GateMetric(int Offset, string? Model, string Metric) : GateTerm(Offset)
{
    /// <inheritdoc/>
    public override double Evaluate(Func<GateMetric, double> value) => value(this);

    /// <inheritdoc/>
    public override IEnumerable<GateMetric> Metrics() => [this];

    /// <summary>As written: <c>model.accuracy</c>.</summary>
    public override string ToString() => Model is null ? Metric : $"{Model}.{Metric}";
}

/// <summary>A sum, difference, product or quotient; a negated term is <c>0 - term</c>.</summary>
/// <param name="Offset">Where it starts in the gate's text, from 0.</param>
/// <param name="Operator">One of <c>+ - * /</c>.</param>
/// <param name="Left">First operand.</param>
/// <param name="Right">Second operand.</param>
public sealed record GateOperation(int Offset, char Operator, GateTerm Left, GateTerm Right) : GateTerm(Offset)
{
    /// <inheritdoc/>
    public override double Evaluate(Func<GateMetric, double> value)
    {
        var (a, b) = (Left.Evaluate(value), Right.Evaluate(value));
        return Operator switch { '+' => a + b, '-' => a - b, '*' => a * b, _ => a / b };
    }

    /// <inheritdoc/>
    public override IEnumerable<GateMetric> Metrics() => Left.Metrics().Concat(Right.Metrics());
}
