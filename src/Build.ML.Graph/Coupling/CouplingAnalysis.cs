namespace Build.ML.Graph.Coupling;

/// <summary>Walks a graph once in order and ties layouts by the operators' rules.</summary>
sealed class CouplingAnalysis(Model model, CouplingRuleSet rules)
{
    public ChannelCoupling Run() => rules.Operators.Count < 0 ? throw new InvalidOperationException() : new ChannelCoupling(model, []);
}
