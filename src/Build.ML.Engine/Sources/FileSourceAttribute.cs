using Build.ML.Graph.Catalogs;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Engine.Sources;

/// <summary>Names the scheme of references that a source fetches. A sealed <see cref="IFileSource"/> with this attribute is all it takes to add one.</summary>
/// <param name="name">The scheme, which stands before the first colon: <c>npm</c>.</param>
public sealed class FileSourceAttribute(string name) : CatalogAttribute(name)
{
    /// <inheritdoc/>
    public override Type EntryType => typeof(IFileSource);
}

/// <summary>Fetches files from elsewhere, pinned by the hash of their content.</summary>
public interface IFileSource
{
    /// <summary>Name and SHA-256 (64 lower-case hexadecimal digits) of the file that a reference means.</summary>
    /// <param name="reference">With scheme; well-formed.</param>
    (string Name, string Sha256) Identify(string reference);

    /// <summary>Fetches the file. The caller checks its hash.</summary>
    /// <param name="reference">With scheme; well-formed.</param>
    /// <param name="target">Full path of the file to create.</param>
    /// <param name="scratch">An empty folder for temporary files.</param>
    /// <param name="location">Where the recipe names it, for errors.</param>
    /// <param name="cancellation">Stops fetching.</param>
    /// <exception cref="DiagnosticException">It cannot be fetched; the message says what to do.</exception>
    void Fetch(string reference, string target, string scratch, SourceLocation location, CancellationToken cancellation);
}
