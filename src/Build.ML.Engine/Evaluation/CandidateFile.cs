using Build.ML.Engine.Work;
using Build.ML.Graph;

namespace Build.ML.Engine.Evaluation;

/// <summary>The file of a model that a step considers, written only when a metric looks at files.</summary>
/// <param name="model">The model.</param>
/// <param name="scratch">The step's scratch folder.</param>
internal sealed class CandidateFile(Model model, string scratch) : IDisposable
{
    private readonly string _folder = Path.Combine(scratch, Path.GetRandomFileName());

    /// <summary>Writes the model.</summary>
    /// <returns>Full path.</returns>
    public string Save()
    {
        var file = Path.Combine(Directory.CreateDirectory(_folder).FullName, StepWork.ModelFile);
        model.Save(file);
        return file;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Directory.Exists(_folder))
        {
            Directory.Delete(_folder, recursive: true);
        }
    }
}
