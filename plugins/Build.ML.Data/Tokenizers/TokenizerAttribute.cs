using Build.ML.Graph.Catalogs;

namespace Build.ML.Data.Tokenizers;

/// <summary>Names a tokenizer as recipes do in <c>tokenizer: { use: … }</c>; a sealed record with it is all it takes to add one.</summary>
/// <param name="name">Lower case, snake_case.</param>
public sealed class TokenizerAttribute(string name) : CatalogAttribute(name)
{
    /// <inheritdoc/>
    public override Type EntryType => typeof(TextTokenizer);
}
