using Build.ML.Graph.Catalogs;

namespace Build.ML.Abstractions.Data;

/// <summary>Names a reader as recipes do in <c>data: { x: { reader: … } }</c>.</summary>
/// <param name="name">Lower case, snake_case.</param>
public sealed class DataReaderAttribute(string name) : CatalogAttribute(name)
{
    /// <inheritdoc/>
    public override Type EntryType => typeof(IDataReader);
}
