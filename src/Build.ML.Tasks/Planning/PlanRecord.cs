using System.Text;
using Build.ML.Tasks.Json;

namespace Build.ML.Tasks.Planning;

/// <summary>
/// The last plan and everything it was made from, kept in the work folder: while nothing of that changed, the same plan would come out, so
/// a build with nothing to do starts no process. Also the manifest of what the work folder holds.
/// </summary>
public sealed class PlanRecord
{
    /// <summary>Name of the record's file in the work folder.</summary>
    public const string FileName = "plan.json";

    // Raise when what the record holds changes: an older record is then as good as none.
    const long Format = 1;

    /// <summary>Creates a record of a plan made just now.</summary>
    /// <param name="request">The request in its canonical text form.</param>
    /// <param name="inputs">The files that the plan was made from.</param>
    /// <param name="items">The plan.</param>
    public PlanRecord(string request, IReadOnlyList<PlanInput> inputs, IReadOnlyList<PlannedItem> items) =>
        (Request, Inputs, Items) = (request, inputs, items);

    /// <summary>The request in its canonical text form.</summary>
    public string Request { get; }

    /// <summary>The files that the plan was made from.</summary>
    public IReadOnlyList<PlanInput> Inputs { get; }

    /// <summary>The plan, in an order in which it can be done.</summary>
    public IReadOnlyList<PlannedItem> Items { get; }

    /// <summary>Reads the record of a work folder; null where there is none, or one that this version cannot read.</summary>
    public static PlanRecord? TryRead(string workPath)
    {
        var path = Path.Combine(workPath, FileName);
        if (!File.Exists(path))
            return null;
        try
        {
            var json = JsonText.ParseObject(File.ReadAllText(path, Encoding.UTF8));
            return json.Number("format") != Format ? null : new PlanRecord(
                json.Text("request"),
                [.. json.Objects("inputs").Select(i => new PlanInput(i))],
                [.. json.Objects("items").Select(i => new PlannedItem(i))]);
        }
        catch (FormatException)
        {
            return null; // made by another version: planned anew, and written anew
        }
    }

    /// <summary>Writes the record, in one piece.</summary>
    public void Write(string workPath) => TextFile.Write(Path.Combine(workPath, FileName), JsonText.Write(new JsonObject
    {
        ["format"] = Format,
        ["request"] = Request,
        ["inputs"] = Inputs.Select(i => i.ToJson()),
        ["items"] = Items.Select(i => i.Json),
    }));

    /// <summary>
    /// Whether the same request on the files as they are now would give the same plan: this record when nothing moved, another with new
    /// times when only times did, null when a plan must be made.
    /// </summary>
    public PlanRecord? Refresh(string request, string workPath)
    {
        if (request != Request)
            return null;
        var recorded = File.GetLastWriteTimeUtc(Path.Combine(workPath, FileName)).Ticks;
        var inputs = new List<PlanInput>(Inputs.Count);
        var moved = false;
        foreach (var input in Inputs)
        {
            var now = input.Refresh(recorded);
            if (now is null)
                return null;
            moved |= !ReferenceEquals(now, input) || now.Modified + TimeSpan.FromSeconds(2).Ticks >= recorded;
            inputs.Add(now);
        }
        return moved ? new PlanRecord(Request, inputs, Items) : this;
    }
}
