namespace Build.ML.Abstractions;

/// <summary>For techniques, readers and metrics that have no options.</summary>
public sealed record NoOptions;
