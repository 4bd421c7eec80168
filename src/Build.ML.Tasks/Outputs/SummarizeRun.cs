using System.Globalization;
using Microsoft.Build.Framework;
using Task = Microsoft.Build.Utilities.Task;

namespace Build.ML.Tasks.Outputs;

/// <summary>Says in one line what a build did: how many steps ran, came from the cache or were up to date.</summary>
public sealed class SummarizeRun : Task
{
    /// <summary>Number of planned items.</summary>
    public int ItemCount { get; set; }

    /// <summary>What the items that MSBuild did not skip came to.</summary>
    public ITaskItem[] Outcomes { get; set; } = [];

    /// <inheritdoc/>
    public override bool Execute()
    {
        var ran = Count("ran");
        var cached = Count("from_cache");
        Log.LogMessage(MessageImportance.High, "Build.ML: {0}", ran + cached == 0
            ? string.Format(CultureInfo.InvariantCulture, "all {0} steps are up to date", ItemCount)
            : string.Format(CultureInfo.InvariantCulture, "{0} of {1} steps ran, {2} came from the cache, {3} are up to date",
                ran, ItemCount, cached, ItemCount - ran - cached));
        return true;
    }

    int Count(string status) =>
        Outcomes.Where(o => o.GetMetadata("Status") == status).Select(o => o.ItemSpec).Distinct(StringComparer.Ordinal).Count();
}
