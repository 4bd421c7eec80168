using Build.ML.Caching.Fingerprints;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Engine.Work;

/// <summary>How a kind of item is done.</summary>
internal abstract record ItemWork
{
    /// <summary>Where the recipe says so; null for what it does not say.</summary>
    public virtual SourceLocation? Location => null;

    /// <summary>Whether results are kept in the cache; not worth it for what is quickly made again.</summary>
    public virtual bool IsCached => false;

    /// <summary>Whether the item may be long enough to keep checkpoints, from which it goes on after it was killed.</summary>
    public virtual bool KeepsCheckpoints => false;

    /// <summary>Whether nothing else may run meanwhile, because the item measures time.</summary>
    public virtual bool RunsAlone(EngineServices services) => false;

    /// <summary>What enters the fingerprint of what the needed items yielded.</summary>
    /// <param name="contentOf">Content hash of a needed item, by its name in the recipe.</param>
    public abstract IEnumerable<FingerprintEntry> Inputs(Func<string, string> contentOf);

    /// <summary>Does the item: fills the context's output folder.</summary>
    public abstract void Execute(ItemContext context);

    /// <summary>Whether a file of the output folder is part of what others read; the rest (logs) may differ without consequence.</summary>
    /// <param name="name">Path relative to the folder, with forward slashes.</param>
    public virtual bool IsContent(string name) => true;

    /// <summary>Says again what the user should see of an item that is up to date.</summary>
    public virtual void Replay(ItemContext context)
    {
    }
}
