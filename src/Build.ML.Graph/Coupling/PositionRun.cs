namespace Build.ML.Graph.Coupling;

/// <summary>Neighbouring positions along a dimension.</summary>
/// <param name="Start">The first.</param>
/// <param name="Count">How many.</param>
public readonly record struct PositionRun(int Start, int Count);
