namespace Build.ML.Quantization.Static.Rounding;

/// <summary>
/// Some of the rows that a linear layer multiplies, and what it should yield for them. The rows are in random order, so that any run of them is a fair sample.
/// </summary>
/// <param name="Rows">Number of rows, even.</param>
/// <param name="Columns">Numbers of a row, padded with zeros to a multiple of <see cref="RowProducts.Lanes"/>.</param>
/// <param name="Inputs">x̂, what the quantized model feeds the layer: [rows, columns].</param>
/// <param name="Outputs">Number of outputs, not padded.</param>
/// <param name="Targets">W·x + b of the real model, before the activation: [rows, outputs].</param>
internal sealed record LayerSample(int Rows, int Columns, float[] Inputs, int Outputs, float[] Targets);
