using Build.ML.Abstractions.Architectures;
using Build.ML.Caching.Fingerprints;
using Build.ML.Graph.Diagnostics;
using Build.ML.Recipes;

namespace Build.ML.Engine.Work;

/// <summary>Builds a source model that no file holds: an architecture with initial weights.</summary>
internal sealed record ArchitectureWork(ArchitectureUse Use) : ItemWork
{
    public override bool IsCached => true;

    public override bool IsContent(string name) => name.StartsWith(StepWork.ModelFile, StringComparison.Ordinal);

    public override IEnumerable<FingerprintEntry> Inputs(Func<string, string> contentOf) => [];

    public override void Execute(ItemContext context)
    {
        var location = context.Recipe.Model.Location;
        var architecture = (Architecture)context.Files.Localize(Use.Options, location, context.Cancellation);
        try
        {
            using var model = architecture.Build(Use.Seed);
            ModelCheck.Built(model, Use.Name, location);
            model.Save(Path.Combine(context.Output, StepWork.ModelFile), new() { Cancellation = context.Cancellation });
        }
        catch (DiagnosticException e)
        {
            throw new DiagnosticException([.. e.Diagnostics.Select(d => d.Location is null ? d with { Location = location } : d)]);
        }
    }
}
