using Build.ML.Caching.Fingerprints;
using Build.ML.Engine.Planning;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Recipes;

namespace Build.ML.Engine.Work;

/// <summary>
/// Fetches and checks the source model. It is read where it is, never copied: the item's directory holds only what was found.
/// </summary>
internal sealed record SourceWork(SourceFiles Files) : ItemWork
{
    public const string FileName = "source.json";

    public FingerprintBuilder AddTo(FingerprintBuilder builder) => builder.Add("model", Files.Hash);

    public override IEnumerable<FingerprintEntry> Inputs(Func<string, string> contentOf) => [];

    public override void Execute(ItemContext context)
    {
        var path = context.ModelFile(Recipe.SourceModel);
        using var model = Model.Open(path);
        ModelCheck.Source(model, context.Recipe.Model.Location, context.Report);
        var size = new FileInfo(path).Length;
        File.WriteAllText(Path.Combine(context.Output, FileName), EngineJson.Write(new { Files.Hash, Size = size, model.Opset }));
    }
}

/// <summary>The files of a source model and the hash of their content.</summary>
/// <param name="Hash">Of the file itself; where it has external data, of all files with their names.</param>
internal sealed record SourceFiles(string Hash)
{
    /// <exception cref="DiagnosticException">The file is no model, or its external data is missing.</exception>
    public static SourceFiles Of(ModelSource source, PlanFiles files)
    {
        var hash = files.HashOf(source.Reference.Path);
        if (NpmReference.TryParse(source.Reference.Path, out _, out _))
        {
            return new(hash);
        }

        var folder = Path.GetDirectoryName(source.Reference.Path)!;
        using var model = Model.Open(source.Reference.Path);
        var external = model.Files.Skip(1).ToList();
        if (external.Count == 0)
        {
            return new(hash);
        }

        var builder = new FingerprintBuilder().Add("", hash);
        foreach (var file in external)
        {
            builder.Add(Path.GetRelativePath(folder, file).Replace('\\', '/'), files.HashOf(file));
        }

        return new(builder.Build().Hash);
    }
}
