using Build.ML.Cli.Output;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Build.ML.Cli.Progress;

/// <summary>The time that an item will still take, as the engine estimates it.</summary>
internal sealed class RemainingColumn : ProgressColumn
{
    private const string Key = "remaining seconds";

    /// <summary>Notes the estimate of a bar; null where nothing can be said.</summary>
    public static void Set(ProgressTask bar, TimeSpan? remaining) => bar.State.Update<double>(Key, _ => remaining?.TotalSeconds ?? -1);

    /// <inheritdoc/>
    public override IRenderable Render(RenderOptions options, ProgressTask task, TimeSpan deltaTime)
    {
        var seconds = task.State.Get<double>(Key);
        return new Text(seconds > 0 ? Figures.Duration(TimeSpan.FromSeconds(seconds)) + " left" : "");
    }

    /// <inheritdoc/>
    public override int? GetColumnWidth(RenderOptions options) => 16;
}
