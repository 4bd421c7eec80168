using System.Collections.Immutable;
using Build.ML.Abstractions.Architectures;
using Build.ML.Abstractions.References;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Recipes;

/// <summary>
/// A recipe file, read and checked: every name resolves, every option is bound to its record and validated, steps form no cycle. Paths are absolute; references
/// with a scheme (<c>npm:</c>) are left for the engine to fetch.
/// </summary>
public sealed record Recipe
{
    /// <summary>Name the source model has in <c>from:</c>, <c>outputs:</c>, gates and options: <c>model</c>.</summary>
    public const string SourceModel = "model";

    /// <summary><c>recipe:</c>; default the file's name without <c>.buildml.yaml</c>. Letters, digits, <c>_</c> and <c>-</c>: a valid folder name everywhere.</summary>
    public required string Name { get; init; }

    /// <summary>Absolute path of the recipe file.</summary>
    public required string File { get; init; }

    /// <summary>Absolute paths of all files read: the recipe, then what it includes, in order of reading.</summary>
    public required ImmutableArray<string> Files { get; init; }

    /// <summary>Properties that <c>${…}</c> named, with the values used; nothing else of the environment enters a recipe.</summary>
    public required ImmutableSortedDictionary<string, string> Properties { get; init; }

    /// <summary><c>model:</c>.</summary>
    public required ModelSource Model { get; init; }

    /// <summary><c>data:</c> by name, in the order written.</summary>
    public ImmutableArray<DataSource> Data { get; init; } = [];

    /// <summary><c>steps:</c> in the order written, those of included files first. At least one.</summary>
    public required ImmutableArray<Step> Steps { get; init; }

    /// <summary><c>evaluate:</c>, or null when the recipe measures nothing.</summary>
    public Evaluation? Evaluate { get; init; }

    /// <summary><c>gates:</c>.</summary>
    public ImmutableArray<Gate> Gates { get; init; } = [];

    /// <summary><c>outputs:</c> in the order written.</summary>
    public ImmutableArray<Output> Outputs { get; init; } = [];

    /// <summary><c>seed:</c> of all steps that set none; default 0.</summary>
    public long Seed { get; init; }

    /// <summary>The data set of that name; it exists for every <see cref="DataReference"/> in the recipe's options.</summary>
    public DataSource DataNamed(string name) => Data.First(d => d.Name == name);

    /// <summary>The metric of that name under <c>evaluate:</c>; it exists for every <see cref="MetricReference"/> in the options of steps.</summary>
    public MetricUse MetricNamed(string name) => Evaluate!.Metrics.First(m => m.Metric == name);

    /// <summary>The step of that id; it exists for every id in the recipe except <see cref="SourceModel"/>.</summary>
    public Step StepNamed(string id) => Steps.First(s => s.Id == id);
}

/// <summary>The model that the steps start from.</summary>
/// <param name="Reference">Absolute path, or <c>npm:package@version/path#sha256-hex</c>; empty where <see cref="Architecture"/> is set.</param>
/// <param name="Location">Where the recipe says so.</param>
public sealed record ModelSource(FileReference Reference, SourceLocation Location)
{
    /// <summary>What builds the model, where no file holds it; else null.</summary>
    public ArchitectureUse? Architecture { get; init; }
}

/// <summary><c>model: { architecture: … }</c>.</summary>
/// <param name="Name">Name in the catalog.</param>
/// <param name="Options">The architecture, bound and validated.</param>
/// <param name="Seed"><c>seed:</c>; default the recipe's.</param>
public sealed record ArchitectureUse(string Name, Architecture Options, long Seed);

/// <summary>One entry of <c>data:</c>.</summary>
/// <param name="Name">Its key.</param>
/// <param name="Reader">Name of the reader in the catalog.</param>
/// <param name="Options">The reader's options record, bound and validated.</param>
/// <param name="Location">Where the recipe says so.</param>
public sealed record DataSource(string Name, string Reader, object Options, SourceLocation Location)
{
    /// <summary>The keys that every reader has beside its own options.</summary>
    internal static readonly string[] CommonKeys = ["reader", "split", "shuffle", "skip", "limit"];

    /// <summary><c>split:</c> the part of the samples that is taken, before all else; default null, all.</summary>
    public DataSplit? Split { get; init; }

    /// <summary><c>shuffle:</c> seed of the order that the samples are put into, before <see cref="Skip"/> and <see cref="Limit"/>; default null, as the reader has them.</summary>
    public int? ShuffleSeed { get; init; }

    /// <summary><c>skip:</c> samples left out at the start; default 0.</summary>
    public int Skip { get; init; }

    /// <summary><c>limit:</c> samples taken at most after <see cref="Skip"/>; default null, all.</summary>
    public int? Limit { get; init; }
}

/// <summary>One entry of <c>steps:</c>.</summary>
/// <param name="Id"><c>id:</c>. Letters, digits, <c>_</c> and <c>-</c>; unique without regard to case, since it names folders.</param>
/// <param name="Technique"><c>use:</c>, a name in the catalog.</param>
/// <param name="Options">The technique's options record, bound and validated.</param>
/// <param name="From"><c>from:</c>, the id of the step whose model is transformed or <c>model</c>; default the step before, for the first <c>model</c>.</param>
/// <param name="Seed"><c>seed:</c>; default the recipe's.</param>
/// <param name="Location">Where the recipe says so.</param>
public sealed record Step(string Id, string Technique, object Options, string From, long Seed, SourceLocation Location)
{
    /// <summary>All models the step needs, <c>model</c> or step ids, without repetition: <see cref="From"/> first, then model references of the options.</summary>
    public required ImmutableArray<string> Needs { get; init; }
}

/// <summary><c>evaluate:</c>.</summary>
/// <param name="Data"><c>data:</c>, the name of a data set; null when the metrics need none.</param>
/// <param name="Metrics"><c>metrics:</c>, at least one.</param>
/// <param name="Steps"><c>steps:</c>, ids of the steps measured besides the source model; default all.</param>
/// <param name="Location">Where the recipe says so.</param>
public sealed record Evaluation(string? Data, ImmutableArray<MetricUse> Metrics, ImmutableArray<string> Steps, SourceLocation Location);

/// <summary>One entry of <c>metrics:</c>.</summary>
/// <param name="Metric">Name in the catalog.</param>
/// <param name="Options">The metric's options record, bound and validated.</param>
/// <param name="Location">Where the recipe says so.</param>
public sealed record MetricUse(string Metric, object Options, SourceLocation Location);

/// <summary>One entry of <c>gates:</c>.</summary>
/// <param name="Expression">The condition.</param>
/// <param name="Location">Where the recipe says so.</param>
public sealed record Gate(Gates.GateExpression Expression, SourceLocation Location)
{
    /// <summary>The condition as written.</summary>
    public string Text => Expression.Text;
}

/// <summary>One entry of <c>outputs:</c>: exactly one of <paramref name="Step"/> and <paramref name="Copy"/> is set.</summary>
/// <param name="FileName">Relative path with forward slashes, safe on every system.</param>
/// <param name="Step">Id of the step (or <c>model</c>) whose model is put there.</param>
/// <param name="Copy">A file shipped along as it is (a dictionary, a label list): absolute path or <c>npm:</c> reference.</param>
/// <param name="Location">Where the recipe says so.</param>
public sealed record Output(string FileName, string? Step, FileReference? Copy, SourceLocation Location);
