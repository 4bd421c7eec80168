namespace Build.ML.Engine;

/// <summary>Where an engine works and what it may use. Nothing is read from the environment.</summary>
public sealed record EngineOptions
{
    /// <summary>Full path of the artifact cache, shared by all builds of a user; created when missing.</summary>
    public required string CachePath { get; init; }

    /// <summary>Full path of the folder that item directories go into, such as <c>obj/buildml</c>; created when missing.</summary>
    public required string WorkPath { get; init; }

    /// <summary>Full paths of plugin assemblies, built-in ones too. Default none.</summary>
    public IReadOnlyList<string> PluginPaths { get; init; } = [];

    /// <summary>Cores that all running items share; default the machine's.</summary>
    public int Cores { get; init; } = Environment.ProcessorCount;

    /// <summary>Values of <c>${Name}</c> in recipes. Default none.</summary>
    public IReadOnlyDictionary<string, string> Properties { get; init; } = new Dictionary<string, string>();

    /// <summary>Name of the cache store in the catalog of stores; default <c>local</c>.</summary>
    public string CacheStore { get; init; } = "local";

    /// <summary>Bytes the cache may hold before the least recently used artifacts are dropped; default 20 GiB.</summary>
    public long CacheLimit { get; init; } = 20L << 30;

    /// <summary>Receives what the cache has to say outside of any item, such as that something damaged was dropped. May be called from several threads.</summary>
    public Action<Graph.Diagnostics.Diagnostic> Report { get; init; } = static _ => { };

    /// <summary>Clock of durations and of access times in the cache.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;
}
