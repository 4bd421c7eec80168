using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Build.ML.Recipes.Yaml;

/// <summary>
/// YamlDotNet's parser with one kind of exception: on some malformed input it throws what a bug would throw (seen: InvalidOperationException where a flow
/// mapping goes on at a lesser indent), and that must be told from bugs of ours.
/// </summary>
internal sealed class GuardedParser(IParser inner) : IParser
{
    /// <inheritdoc/>
    public ParsingEvent? Current => inner.Current;

    /// <inheritdoc/>
    public bool MoveNext()
    {
        try
        {
            return inner.MoveNext();
        }
        catch (Exception e) when (e is not YamlException and not OutOfMemoryException)
        {
            var after = inner.Current?.End ?? Mark.Empty;
            throw new YamlException(after, after, "What follows cannot be read; check indents, quotes and brackets", e);
        }
    }
}
