namespace Build.ML.Quantization.WeightOnly;

/// <summary>A part of a weight's matrix that begins with a block and is done by one thread.</summary>
/// <param name="FirstRow">First row.</param>
/// <param name="Rows">Number of rows.</param>
/// <param name="FirstColumn">First column, a multiple of the block size.</param>
/// <param name="Columns">Number of columns.</param>
internal readonly record struct WeightTile(int FirstRow, int Rows, int FirstColumn, int Columns);
