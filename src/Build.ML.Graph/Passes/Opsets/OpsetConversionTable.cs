namespace Build.ML.Graph.Passes.Opsets;

/// <summary>
/// How operators of one kind of change are carried over to the version of ONNX's operator set that brought the change. Versions that only allow more
/// types or add attributes whose defaults mean the old behaviour need no conversion. A sealed class with <see cref="OpsetConversionsAttribute"/> is all
/// it takes to add one.
/// </summary>
public abstract class OpsetConversionTable
{
    private readonly List<(string OpType, long Version, Action<OpsetConversionContext> Convert)> _conversions = [];

    internal IReadOnlyList<(string OpType, long Version, Action<OpsetConversionContext> Convert)> Conversions => _conversions;

    /// <summary>Sets how a node valid in the version before is made valid, with the same meaning, in <paramref name="version"/>.</summary>
    /// <param name="version">Version of the operator set that brought the change.</param>
    /// <param name="opTypes">Operators.</param>
    /// <param name="convert">Edits the node, or calls <see cref="OpsetConversionContext.Refuse"/>.</param>
    protected void Since(long version, IEnumerable<string> opTypes, Action<OpsetConversionContext> convert)
    {
        foreach (var opType in opTypes)
        {
            _conversions.Add((opType, version, convert));
        }
    }
}
