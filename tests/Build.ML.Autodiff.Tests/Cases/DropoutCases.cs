using Build.ML.Graph.Tensors;

namespace Build.ML.Autodiff.Tests.Cases;

[GradientCases]
public sealed class DropoutCases : GradientCaseTable
{
    public DropoutCases()
    {
        Case("Dropout", r => new([r.Normal(r.Sizes(2))]), "half");
        Case("Dropout", r => new([r.Normal(r.Sizes(2)), Tensor.Scalar(0.1f), Tensor.Of([false])]) { Checked = [0], Outputs = 2 }, "mask");
        Case("Dropout", r => new([r.Normal(r.Sizes(2)), Tensor.Scalar(0f)]) { Checked = [0] }, "none");
    }
}
