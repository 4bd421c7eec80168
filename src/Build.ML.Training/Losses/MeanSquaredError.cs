using System.ComponentModel;
using Build.ML.Autodiff;
using Build.ML.Graph.Ir;

namespace Build.ML.Training;

/// <summary>Mean of (output − target)² over all elements, for regression. The target is the label's tensor, or its class where the output is one number.</summary>
[Loss("mse")]
[Description("Mean squared error to the target.")]
public sealed record MeanSquaredError : Loss
{
    /// <inheritdoc/>
    public override Value Build(LossContext context)
    {
        var output = context.Output(Output);
        return Of(context.Op, output, context.Target(output.Sizes().AsSpan()));
    }

    internal static Value Of(GraphOps op, Value a, Value b) => op.Mean(op.Square(op.Sub(a, b)));
}
