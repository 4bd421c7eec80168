namespace Build.ML.Packing;

/// <summary>A packed model that cannot be opened.</summary>
/// <param name="code">BML5740 damaged, BML5741 of a later version, BML5742 no packed model.</param>
/// <param name="message">What is wrong and what to do.</param>
/// <param name="inner">What found it, if anything did.</param>
public sealed class PackedModelException(string code, string message, Exception? inner = null) : Exception($"{code}: {message}", inner)
{
    /// <summary>The stable code.</summary>
    public string Code { get; } = code;
}
