using System.Collections.Immutable;
using Build.ML.Abstractions.Techniques;
using Build.ML.Caching.Fingerprints;
using Build.ML.Engine.Data;
using Build.ML.Engine.Evaluation;
using Build.ML.Engine.Inspection;
using Build.ML.Engine.Running;
using Build.ML.Graph.Diagnostics;
using Build.ML.Recipes;
using Build.ML.Recipes.Options;

namespace Build.ML.Engine.Work;

/// <summary>Runs a technique on a model.</summary>
/// <param name="Step">Which, with options.</param>
/// <param name="Data">Content fingerprints of the data sets that the options name, by name.</param>
/// <param name="GateMetrics">Metrics of the recipe's evaluation where the technique tries candidates against the gates; else none.</param>
internal sealed record StepWork(Step Step, ImmutableSortedDictionary<string, string> Data, ImmutableArray<string> GateMetrics) : ItemWork
{
    public const string ModelFile = "model.onnx";
    public const string ReportFile = "step.json";

    public override SourceLocation? Location => Step.Location;

    public override bool IsCached => true;

    public override bool KeepsCheckpoints => true;

    public override bool IsContent(string name) => name.StartsWith(ModelFile, StringComparison.Ordinal);

    public override IEnumerable<FingerprintEntry> Inputs(Func<string, string> contentOf) =>
    [
        new("input model", contentOf(Step.From)),
        .. GateMetrics.Length > 0 ? [new FingerprintEntry("gates: source model", contentOf(Recipe.SourceModel))] : Array.Empty<FingerprintEntry>(),
        .. OptionWalk.References(Step.Options).Where(r => r.Kind == ReferenceKind.Model)
            .Select(r => new FingerprintEntry($"option {r.Path}: model", contentOf(r.Name))),
        .. OptionWalk.References(Step.Options).Where(r => r.Kind == ReferenceKind.Metric)
            .Select(r => new FingerprintEntry($"option {r.Path}: source model", contentOf(Recipe.SourceModel))),
    ];

    // A step that searches by time measures it.
    public override bool RunsAlone(EngineServices services) => OptionWalk.References(Step.Options)
        .Where(r => r.Kind == ReferenceKind.Metric).Select(r => r.Name).Concat(GateMetrics)
        .Any(m => services.Catalogs.Metrics.Find(m)!.Create().DependsOnMachine);

    public override void Execute(ItemContext context)
    {
        var inference = new CancellableInference(context.Services.Inference, context.Scratch, context.Cancellation);
        var data = new DataSets(context);
        using var model = context.OpenModel(Step.From);
        var result = context.Services.Catalogs.Techniques.Find(Step.Technique)!.Create().Apply(
            model,
            context.Files.Localize(Step.Options, Step.Location, context.Cancellation),
            new StepContext
            {
                StepId = Step.Id,
                Data = reference => data.Open(reference.Name),
                Model = reference => context.OpenModel(reference.Name),
                Inference = inference,
                Evaluate = new CandidateEvaluation(context, Step.Location).Run,
                CheckGates = new CandidateGates(context, Step).Check,
                Seed = Step.Seed,
                Threads = context.Threads,
                ScratchDirectory = context.Scratch,
                Cache = new DerivedCache(context.Services.Store, context.CheckpointArea!, Scope(context.Services), context.Scratch, context.Report, context.Cancellation),
                DataFingerprint = reference => Data.GetValueOrDefault(reference.Name),
                CheckpointDirectory = context.Checkpoints,
                GradientAssemblies = [.. context.Services.Gradients.Select(g => g.Key)],
                Progress = context.Progress,
                Report = context.Report,
                Cancellation = context.Cancellation,
            });
        context.Cancellation.ThrowIfCancellationRequested();
        ImmutableArray<LayerOutcome> layers;
        using (result.Model)
        {
            ModelCheck.Result(result.Model, Step);
            layers = LayerKernels.Name(result.Model, result.Layers, inference);
            result.Model.Save(Path.Combine(context.Output, ModelFile));
        }

        File.WriteAllText(Path.Combine(context.Output, ReportFile), EngineJson.Write(new StepReport(Step.Technique, layers, result.Notes)));
    }

    // What a technique derives is decided by the code that derives it, besides the key that it gives.
    private List<FingerprintEntry> Scope(EngineServices services) =>
    [
        new("engine", services.EngineIdentity),
        new("runtime", services.Inference.Runtime),
        new("assembly", services.AssemblyHash(services.Catalogs.Techniques.Find(Step.Technique)!.Type)),
    ];
}

/// <summary>What a technique said about its work: <c>step.json</c>.</summary>
/// <param name="Technique">Its name.</param>
/// <param name="Layers">Layer by layer.</param>
/// <param name="Notes">Sentences for the report.</param>
public sealed record StepReport(string Technique, ImmutableArray<LayerOutcome> Layers, ImmutableArray<string> Notes)
{
    /// <summary>Reads a step's report.</summary>
    /// <param name="directory">The step's item directory.</param>
    public static StepReport Read(string directory) => EngineJson.Read<StepReport>(File.ReadAllText(Path.Combine(directory, StepWork.ReportFile)));
}
