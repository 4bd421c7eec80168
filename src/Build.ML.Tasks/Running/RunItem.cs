using System.Globalization;
using Build.ML.Tasks.Json;
using Build.ML.Tasks.Planning;
using Build.ML.Tasks.Workers;
using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;

namespace Build.ML.Tasks.Running;

/// <summary>Has the worker do one item of the plan; called by the target of that item in the generated project.</summary>
public sealed class RunItem : WorkerTask
{
    const double ProgressStep = 0.1;

    double told;

    /// <summary>Id of the item.</summary>
    [Required]
    public string Id { get; set; } = "";

    /// <summary>Full path of the work folder, which holds the plan.</summary>
    [Required]
    public string WorkPath { get; set; } = "";

    /// <summary>Cores that running items share; 0 for the machine's.</summary>
    public int Cores { get; set; }

    /// <summary>The item, with the metadata <c>Status</c> (<c>ran</c>, <c>from_cache</c> or <c>up_to_date</c>) and <c>Kind</c>.</summary>
    [Output]
    public ITaskItem[] Outcome { get; private set; } = [];

    /// <inheritdoc/>
    public override bool Execute()
    {
        var plan = Plan();
        var item = plan?.Items.FirstOrDefault(i => i.Id == Id);
        if (plan is null || item is null)
        {
            LogError("BML7005", $"The plan in {WorkPath} does not hold '{Id}' any more: it was changed while the build ran. Build again.");
            return false;
        }
        var parameters = JsonText.ParseObject(plan.Request);
        parameters["cores"] = Cores;
        parameters["item"] = Id;
        parameters["key"] = item.Key;
        var result = Call(parameters.Text("workerPath"), "run", parameters);
        if (result is null || Log.HasLoggedErrors)
            return false;
        if (!File.Exists(item.StampFile))
        {
            LogError("BML7004", $"The worker says that '{Id}' is done, but left no {item.StampFile}. It is of another version than {GetType().Assembly.Location}: restore the package Build.ML again.");
            return false;
        }
        ItemFiles.Freshen(item, plan.Items.Where(i => item.Needs.Contains(i.Id)));
        Tell(item, result);
        return true;
    }

    /// <inheritdoc/>
    protected override void OnProgress(JsonObject progress)
    {
        var fraction = progress.Real("fraction");
        if (fraction < told + ProgressStep)
            return;
        told = fraction;
        var remaining = progress.ContainsKey("remaining") ? $", {Seconds(progress.Real("remaining"))} left" : "";
        Log.LogMessage(MessageImportance.Normal, "  {0}: {1} {2}{3}", Id, progress.Text("phase"), fraction.ToString("P0", CultureInfo.InvariantCulture), remaining);
    }

    void Tell(PlannedItem item, JsonObject result)
    {
        var status = result.Text("status");
        var outcome = new TaskItem(Id);
        outcome.SetMetadata("Status", status);
        outcome.SetMetadata("Kind", item.Kind);
        Outcome = [outcome];

        var how = status switch
        {
            "ran" => $"ran in {Seconds(result.Real("seconds"))}",
            "from_cache" => $"taken from the cache in {Seconds(result.Real("seconds"))}",
            _ => "up to date",
        };
        var isNews = status is "ran" or "from_cache" && item.Kind is "step" or "evaluate";
        Log.LogMessage(isNews ? MessageImportance.High : MessageImportance.Low, "  {0}: {1}{2}",
            Id, item.Technique.Length > 0 ? item.Technique + " " : "", how);
    }

    static string Seconds(double seconds) => seconds.ToString(seconds < 10 ? "0.0 s" : "0 s", CultureInfo.InvariantCulture);

    // Planned on this node by this build, else (another node) in the record.
    PlanRecord? Plan()
    {
        var key = PlanRecipes.KeyOf(WorkPath);
        if (BuildEngine4.GetRegisteredTaskObject(key, RegisteredTaskObjectLifetime.Build) is PlanRecord planned)
            return planned;
        var read = PlanRecord.TryRead(WorkPath);
        if (read is not null)
            BuildEngine4.RegisterTaskObject(key, read, RegisteredTaskObjectLifetime.Build, allowEarlyCollection: true);
        return read;
    }
}
