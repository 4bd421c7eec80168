namespace Build.ML.Abstractions.References;

/// <summary>
/// In a technique's options: a data set of the recipe, by its name under <c>data:</c>. The recipe reader checks that it exists; the
/// fingerprint covers the data's content; <see cref="Techniques.StepContext.Data"/> opens it.
/// </summary>
/// <param name="Name">Name under <c>data:</c>.</param>
public readonly record struct DataReference(string Name);

/// <summary>
/// In a technique's options: a model of the recipe, <c>model</c> for the source or a step's id. It becomes an edge of the step graph;
/// <see cref="Techniques.StepContext.Model"/> opens it.
/// </summary>
/// <param name="Name"><c>model</c> or a step's id.</param>
public readonly record struct ModelReference(string Name);

/// <summary>
/// In a technique's options: a metric of the recipe's <c>evaluate:</c>, by its name there, with the options it has there. The recipe reader checks that it exists;
/// the fingerprint covers it as it covers evaluations; <see cref="Techniques.StepContext.Evaluate"/> takes it.
/// </summary>
/// <param name="Name">Name of the metric, such as <c>accuracy</c>.</param>
public readonly record struct MetricReference(string Name);

/// <summary>
/// In options: a file or folder. In a recipe a path relative to the recipe file, or <c>npm:package@version/path#sha256-hex</c>; by the time options reach
/// their technique, the absolute path of a local file. The fingerprint covers the content, never the path.
/// </summary>
/// <param name="Path">See above.</param>
public readonly record struct FileReference(string Path);
