namespace Build.ML.Engine;

/// <summary>A file that a plan depends on: while none of them changes, the same plan would come out.</summary>
/// <param name="Path">Full path.</param>
/// <param name="Size">Bytes; −1 for a file that did not exist.</param>
/// <param name="ModifiedTicks">Time of last write, in 100 ns ticks of UTC; 0 for a file that did not exist.</param>
/// <param name="Sha256">Hash of the content in hexadecimal; empty for a file that did not exist.</param>
public sealed record PlanInput(string Path, long Size, long ModifiedTicks, string Sha256);
