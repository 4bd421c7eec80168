using Build.ML.Graph;
using Build.ML.Graph.Catalogs;

namespace Build.ML.Abstractions.Architectures;

/// <summary>
/// A network to build and train from nothing: in recipes <c>model: { architecture: name, … }</c> with the record's properties as keys. A
/// sealed record with
/// <see cref="ArchitectureAttribute"/> in a plugin assembly is all it takes to add one; its public properties are its options, as those of
/// techniques are.
/// </summary>
public abstract record Architecture
{
    /// <summary>Builds the network with initial weights.</summary>
    /// <param name="seed">Seed of all initial weights: the same seed and options give the same bytes on every machine.</param>
    /// <returns>A valid model with static sizes but for the batch; the caller disposes it.</returns>
    /// <exception cref="Graph.Diagnostics.DiagnosticException">The options do not fit together.</exception>
    public abstract Model Build(long seed);
}

/// <summary>Names an architecture as recipes do in <c>model: { architecture: … }</c>.</summary>
/// <param name="name">Lower case, joined by hyphens, as its paper writes it: <c>mobilenet-v2</c>.</param>
public sealed class ArchitectureAttribute(string name) : CatalogAttribute(name)
{
    /// <inheritdoc/>
    public override Type EntryType => typeof(Architecture);
}
