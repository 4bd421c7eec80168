using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Evaluation;

/// <summary>Computes the outputs of a node whose inputs are constants, or returns null where the element types or attributes are not covered.</summary>
/// <param name="context">The node and its inputs.</param>
public delegate Tensor[]? Evaluator(EvaluationContext context);

/// <summary>
/// The evaluators of one family of operators, for constant folding. A sealed class with <see cref="EvaluatorsAttribute"/> is all it takes to add one.
/// They cover what appears between constants and shapes; they are no runtime.
/// </summary>
public abstract class EvaluatorTable
{
    private readonly Dictionary<(string Domain, string OpType), Evaluator> _evaluators = [];

    internal IReadOnlyDictionary<(string Domain, string OpType), Evaluator> Evaluators => _evaluators;

    /// <summary>Sets the evaluator of an operator with one output.</summary>
    /// <param name="opType">Operator of ONNX's own domain.</param>
    /// <param name="evaluate">Computes the output, or returns null.</param>
    protected void Rule(string opType, Func<EvaluationContext, Tensor?> evaluate) =>
        _evaluators.Add(("", opType), c => evaluate(c) is { } tensor ? [tensor] : null);

    /// <summary>Sets the evaluator of an operator with several outputs.</summary>
    protected void RuleForAll(string opType, Evaluator evaluate) => _evaluators.Add(("", opType), evaluate);
}
