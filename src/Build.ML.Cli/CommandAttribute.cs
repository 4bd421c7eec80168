using Build.ML.Graph.Catalogs;

namespace Build.ML.Cli;

/// <summary>Names a command as users type it; <c>cache gc</c> is the command <c>gc</c> below the group <c>cache</c>.</summary>
/// <param name="name">Lower case words separated by single spaces.</param>
public sealed class CommandAttribute(string name) : CatalogAttribute(name)
{
    /// <inheritdoc/>
    public override Type EntryType => typeof(ICliCommand);
}
