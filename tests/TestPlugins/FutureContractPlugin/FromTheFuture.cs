using Build.ML.Abstractions;

namespace Build.ML.TestPlugins;

/// <summary>Could not be loaded here: its base is missing.</summary>
public sealed class FromTheFuture : FutureType;
