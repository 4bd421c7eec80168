using System.Collections.Immutable;
using Build.ML.Caching.Files;
using Build.ML.Caching.Fingerprints;
using Build.ML.Engine.Planning;
using Build.ML.Engine.Provenance;
using Build.ML.Graph;
using Build.ML.Packing;
using Build.ML.Recipes;

namespace Build.ML.Engine.Work;

/// <summary>
/// Places what a recipe is for. Outputs share no file with the cache (a clone is as good as a copy): apps may be built from them with any tool, and nothing
/// that is done to them reaches the cache.
/// </summary>
internal sealed record OutputWork(ImmutableArray<Output> Outputs) : ItemWork
{
    public const string Name = "out";

    /// <summary>The models, the figures for their provenance, and the report: outputs are placed only when all gates hold.</summary>
    public ImmutableArray<string> Needs(Recipe recipe, ImmutableArray<string> evaluations)
    {
        var needs = Outputs.Select(o => o.Step).OfType<string>();
        return [.. (recipe.Evaluate is null ? needs : [.. needs, .. Outputs.Select(o => EvaluateWork.NameFor(o.Step ?? "")).Intersect(evaluations), ReportWork.Name])
            .Distinct()];
    }

    public ImmutableArray<string> FileNames() => [.. Outputs.SelectMany(o => new[] { o.FileName, ProvenanceStatement.FileFor(o.FileName) })];

    public FingerprintBuilder AddTo(FingerprintBuilder builder, PlanFiles files)
    {
        foreach (var output in Outputs)
        {
            builder.Add($"output {output.FileName}", output.Copy is { } copy ? files.HashOf(copy.Path) : "model");
        }

        return builder;
    }

    public override IEnumerable<FingerprintEntry> Inputs(Func<string, string> contentOf) =>
        Outputs.Where(o => o.Step is not null).Select(o => new FingerprintEntry($"output {o.FileName}: model", contentOf(o.Step!)));

    public override void Execute(ItemContext context)
    {
        foreach (var output in Outputs)
        {
            context.Cancellation.ThrowIfCancellationRequested();
            var target = Path.Combine(context.Output, output.FileName);
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            if (output.Step is { } step)
            {
                PlaceModel(context.ModelFile(step), target, context.Cancellation);
            }
            else
            {
                Copy(context.Files.Resolve(output.Copy!.Value.Path, output.Location, context.Cancellation), target, context.Cancellation);
            }

            var files = Directory.EnumerateFiles(Path.GetDirectoryName(target)!, Path.GetFileName(target) + "*")
                .Where(f => f == target || f == target + ".data").Order(StringComparer.Ordinal);
            File.WriteAllText(ProvenanceStatement.FileFor(target), ProvenanceStatement.Write(context, output, [.. files]));
        }
    }

    // A name that says so gets the packed form, external data inside it. A model's external data is found by the name written in the model, which is that of the model's file: under another name it is written anew.
    private static void PlaceModel(string source, string target, CancellationToken cancellation)
    {
        using var model = Model.Open(source);
        if (target.EndsWith(PackedModel.Extension, StringComparison.OrdinalIgnoreCase))
        {
            File.WriteAllBytes(target, PackedModel.Pack(model.Files.Count > 1 ? model.ToBytes() : File.ReadAllBytes(source)));
        }
        else if (model.Files.Count > 1)
        {
            model.Save(target, new SaveOptions { Cancellation = cancellation });
        }
        else
        {
            Copy(source, target, cancellation);
        }
    }

    private static void Copy(string source, string target, CancellationToken cancellation)
    {
        if (!FileSharing.TryClone(source, target))
        {
            FileHash.Copy(source, target, cancellation);
        }
    }
}
