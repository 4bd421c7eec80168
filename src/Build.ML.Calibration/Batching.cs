using Build.ML.Graph;

namespace Build.ML.Calibration;

/// <summary>How many samples a model takes at once.</summary>
public static class Batching
{
    /// <summary>Samples run together where nobody says otherwise.</summary>
    public const int Default = 8;

    /// <summary>The size the model's first input fixes, else <paramref name="wanted"/>.</summary>
    public static int SizeFor(Model model, int wanted = Default) =>
        model.Graph.Inputs.FirstOrDefault(i => i.Initializer is null)?.Shape is { Rank: > 0 } shape && shape[0].Size is { } size and > 0 ? (int)size : wanted;
}
