using System.Text;
using Build.ML.Caching.Files;

namespace Build.ML.Engine.Running;

/// <summary>
/// The small files by which MSBuild sees what is up to date. A stamp says what it was written for, so that a plan can tell one that its time makes look newer
/// than it is.
/// </summary>
internal static class ItemStamps
{
    /// <summary>Content hash of an item that is done; null when it is not.</summary>
    public static string? ContentOf(WorkItem item) => File.Exists(item.ContentFile) ? File.ReadAllText(item.ContentFile).Trim() : null;

    /// <summary>What an item's stamp must say; null when something it needs is not done.</summary>
    public static string? Expected(WorkItem item, Plan plan)
    {
        var text = new StringBuilder("key ").Append(item.Key).Append('\n');
        foreach (var need in item.Needs)
        {
            if (ContentOf(plan[need]) is not { } content)
            {
                return null;
            }

            text.Append("need ").Append(need).Append(' ').Append(content).Append('\n');
        }

        return text.ToString();
    }

    /// <summary>Whether an item's stamp is there and says what it must.</summary>
    public static bool Fits(WorkItem item, Plan plan) =>
        File.Exists(item.StampFile) && File.Exists(item.ContentFile) && Expected(item, plan) is { } expected && File.ReadAllText(item.StampFile) == expected;

    /// <summary>Writes an item's content file (if it changed), then its stamp, whose time is then the latest.</summary>
    public static void Write(WorkItem item, Plan plan, string content)
    {
        DurableFile.WriteIfChanged(item.KeyFile, item.Key + "\n");
        DurableFile.WriteIfChanged(item.ContentFile, content + "\n");
        File.Delete(item.StampFile);
        DurableFile.WriteIfChanged(item.StampFile, Expected(item, plan) ?? throw new InvalidOperationException($"{item.Id} is done before what it needs."));
    }
}
