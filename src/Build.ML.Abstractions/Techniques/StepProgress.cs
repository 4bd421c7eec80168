namespace Build.ML.Abstractions.Techniques;

/// <summary>How far a step is.</summary>
/// <param name="Fraction">0 to 1.</param>
/// <param name="Phase">What is being done, such as <c>calibrating</c> or <c>epoch 2/5</c>.</param>
/// <param name="Loss">Current loss, for training.</param>
public readonly record struct StepProgress(double Fraction, string Phase, double? Loss = null);
