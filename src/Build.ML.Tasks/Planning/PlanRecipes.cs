using Build.ML.Tasks.Json;
using Build.ML.Tasks.Workers;
using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;

namespace Build.ML.Tasks.Planning;

/// <summary>
/// Works out what the recipes ask for: the items of work, their key files and the generated project that runs them. Asks the worker only when
/// the record of the last plan says that something may have changed; a build with nothing to do starts no process.
/// </summary>
public sealed class PlanRecipes : WorkerTask, IIncrementalTask
{
    /// <summary>The recipes.</summary>
    [Required]
    public ITaskItem[] Recipes { get; set; } = [];

    /// <summary>The plugin assemblies.</summary>
    public ITaskItem[] Plugins { get; set; } = [];

    /// <summary>Properties that recipes may name: the item is the name, the metadata <c>Value</c> the value.</summary>
    public ITaskItem[] Properties { get; set; } = [];

    /// <summary>Full path of the folder that item directories go into.</summary>
    [Required]
    public string WorkPath { get; set; } = "";

    /// <summary>Full path of the artifact cache; empty for the worker's default.</summary>
    public string CachePath { get; set; } = "";

    /// <summary>Full path of the worker.</summary>
    [Required]
    public string WorkerPath { get; set; } = "";

    /// <summary>Cores that running items share; 0 for the machine's.</summary>
    public int Cores { get; set; }

    /// <summary>Whether independent items may run on several MSBuild nodes.</summary>
    public bool Parallel { get; set; }

    /// <summary>Whether nothing may be run or written (<c>--no-build</c>): the last plan counts, whatever has changed since.</summary>
    public bool NoBuild { get; set; }

    /// <inheritdoc/>
    public bool FailIfNotIncremental { get; set; }

    /// <summary>The generated project.</summary>
    [Output]
    public string StepProjectPath { get; private set; } = "";

    /// <summary>Number of planned items.</summary>
    [Output]
    public int ItemCount { get; private set; }

    /// <summary>The files that recipes place as their outputs, with the metadata <c>Folder</c>, which their names are relative to.</summary>
    [Output]
    public ITaskItem[] OutputFiles { get; private set; } = [];

    /// <inheritdoc/>
    public override bool Execute()
    {
        var previous = PlanRecord.TryRead(WorkPath);
        var plan = NoBuild ? LastPlan(previous) : CurrentPlan(previous);
        if (plan is null)
            return false;
        StepProjectPath = Path.Combine(WorkPath, StepProject.FileName);
        ItemCount = plan.Items.Count;
        OutputFiles = [.. plan.Items.Where(i => i.IsOutput).SelectMany(i => i.Files, OutputFile)];
        return true;
    }

    PlanRecord? LastPlan(PlanRecord? previous)
    {
        if (previous is null)
            LogError("BML7007", $"Nothing has been built in {WorkPath}, and this command does not build (--no-build). Build the project first, or leave --no-build out.");
        return previous;
    }

    PlanRecord? CurrentPlan(PlanRecord? previous)
    {
        var request = Request();
        var canonical = JsonText.Write(request.ToJson());
        var plan = previous?.Refresh(canonical, WorkPath);
        if (plan is null && FailIfNotIncremental)
        {
            LogError("BML7006", "A recipe, or something that it names, has changed since the last build (-question). Build the project.");
            return null;
        }
        plan ??= Ask(request, canonical);
        if (plan is null)
            return null;
        if (!FailIfNotIncremental)
            Write(plan, previous);
        BuildEngine4.RegisterTaskObject(KeyOf(WorkPath), plan, RegisteredTaskObjectLifetime.Build, allowEarlyCollection: false);
        return plan;
    }

    PlanRecord? Ask(PlanRequest request, string canonical)
    {
        var parameters = request.ToJson();
        parameters["cores"] = Cores;
        var result = Call(WorkerPath, "plan", parameters);
        return result is null ? null : new PlanRecord(
            canonical, [.. result.Objects("inputs").Select(i => new PlanInput(i))], [.. result.Objects("items").Select(i => new PlannedItem(i))]);
    }

    void Write(PlanRecord plan, PlanRecord? previous)
    {
        foreach (var item in plan.Items)
            if (!ItemFiles.Fit(item))
                File.Delete(item.StampFile);
        if (previous is not null && !ReferenceEquals(previous.Items, plan.Items))
            ItemFiles.DeleteOrphans(previous.Items, plan.Items, WorkPath);
        TextFile.WriteIfChanged(
            Path.Combine(WorkPath, StepProject.FileName),
            StepProject.Text(plan.Items, WorkPath, GetType().Assembly.Location, Parallel));
        if (!ReferenceEquals(previous, plan))
            plan.Write(WorkPath);
    }

    PlanRequest Request()
    {
        var request = new PlanRequest
        {
            Recipes = FullPaths(Recipes),
            Plugins = FullPaths(Plugins),
            WorkPath = WorkPath,
            CachePath = CachePath,
            WorkerPath = WorkerPath,
        };
        foreach (var property in Properties)
            request.Properties[property.ItemSpec] = property.GetMetadata("Value");
        return request;
    }

    /// <summary>The key under which a build keeps the plan of a work folder.</summary>
    internal static string KeyOf(string workPath) => "Build.ML.Plan|" + workPath;

    static TaskItem OutputFile(PlannedItem item, string path)
    {
        var file = new TaskItem(path);
        file.SetMetadata("Folder", item.Directory);
        return file;
    }

    static string[] FullPaths(ITaskItem[] items) =>
        [.. items.Select(i => i.GetMetadata("FullPath")).Distinct(StringComparer.Ordinal).OrderBy(p => p, StringComparer.Ordinal)];
}
