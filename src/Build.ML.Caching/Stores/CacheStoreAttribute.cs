using Build.ML.Graph.Catalogs;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Caching.Stores;

/// <summary>Names a kind of store as settings do. A sealed <see cref="ICacheStore"/> with this attribute is all it takes to add one.</summary>
/// <param name="name">Lower case, snake_case.</param>
public sealed class CacheStoreAttribute(string name) : CatalogAttribute(name)
{
    /// <inheritdoc/>
    public override Type EntryType => typeof(ICacheStore);
}

/// <summary>A kind of store: opens <see cref="IArtifactStore"/>s.</summary>
public interface ICacheStore
{
    /// <summary>Opens a store, creating it when missing.</summary>
    /// <exception cref="DiagnosticException">BML4002: it cannot be opened.</exception>
    IArtifactStore Open(StoreOptions options);
}

/// <summary>What a store is opened with.</summary>
public sealed record StoreOptions
{
    /// <summary>Full path of the store's folder.</summary>
    public required string Path { get; init; }

    /// <summary>Receives warnings, such as that something damaged was dropped. May be called from several threads.</summary>
    public Action<Diagnostic> Report { get; init; } = static _ => { };

    /// <summary>Clock of access times.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;
}
