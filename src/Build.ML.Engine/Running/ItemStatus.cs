namespace Build.ML.Engine;

/// <summary>How an item ended.</summary>
public enum ItemStatus
{
    /// <summary>It was done.</summary>
    Ran,

    /// <summary>Its result was taken from the cache.</summary>
    FromCache,

    /// <summary>Its directory already holds the result.</summary>
    UpToDate,

    /// <summary>It failed; its last good result, if there is one, is still in place.</summary>
    Failed,

    /// <summary>It was not tried because an item that it needs failed.</summary>
    Skipped,

    /// <summary>It was stopped, or not begun, because the build was cancelled.</summary>
    Cancelled,
}
