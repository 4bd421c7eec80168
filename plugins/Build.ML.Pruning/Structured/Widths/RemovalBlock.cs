namespace Build.ML.Pruning.Structured.Widths;

/// <summary>Positions of an axis that go together.</summary>
/// <param name="Axis">Index of the axis.</param>
/// <param name="Positions">The positions.</param>
/// <param name="Priority">Blocks of the least go first.</param>
internal sealed record RemovalBlock(int Axis, int[] Positions, double Priority);
