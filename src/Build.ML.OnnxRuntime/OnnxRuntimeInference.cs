using System.Collections.Immutable;
using Build.ML.Abstractions.Inference;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.OnnxRuntime.Kernels;

namespace Build.ML.OnnxRuntime;

/// <summary>Runs models with ONNX Runtime's CPU kernels, one run at a time, operators in sequence: same model and feeds, same bits.</summary>
/// <param name="scratchDirectory">
/// Where models too large for memory are written while a session needs them; must exist. Default: the system's temporary folder.
/// </param>
public sealed class OnnxRuntimeInference(string? scratchDirectory = null) : IInference
{
    private readonly string _scratchDirectory = scratchDirectory ?? Path.GetTempPath();

    /// <summary>For example <c>ONNX Runtime 1.29.0</c>.</summary>
    public string Runtime { get; } = "ONNX Runtime " + RuntimeEnvironment.Version;

    /// <inheritdoc/>
    public ImmutableHashSet<string> Kernels => KernelDomain.Operators;

    /// <inheritdoc/>
    /// <exception cref="DiagnosticException">
    /// BML5101 the runtime refuses the model, BML5102 it lacks a kernel, BML5103 an extra output is not a value of the main graph, BML5104 an input or
    /// output is no tensor of a type that can be exchanged.
    /// </exception>
    public IInferenceSession Open(Model model, InferenceOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        return OpenSession(model, options ?? new InferenceOptions(), bound: false);
    }

    /// <inheritdoc/>
    /// <exception cref="DiagnosticException">As <see cref="Open"/>; BML5105 a buffer is missing, unknown, or of another type or other sizes.</exception>
    public IBoundSession Bind(Model model, IReadOnlyDictionary<string, TensorBuffer> buffers, InferenceOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(buffers);
        return OpenSession(model, options ?? new InferenceOptions(), bound: true).Bind(buffers);
    }

    /// <inheritdoc/>
    /// <remarks>Null for models whose weights are not handed over in memory (256 MB): the runtime would hold them twice.</remarks>
    public Model? Optimize(Model model)
    {
        ArgumentNullException.ThrowIfNull(model);
        if (!ModelFiles.FitsInMemory(model))
        {
            return null;
        }

        var folder = Directory.CreateDirectory(Path.Combine(_scratchDirectory, "buildml-" + Path.GetRandomFileName()));
        try
        {
            using var settings = SessionSettings.Of(new InferenceOptions());
            settings.OptimizedModelFilePath = Path.Combine(folder.FullName, "optimized.onnx");
            using (OnnxRuntimeSession.Open(model, [], settings, _scratchDirectory))
            {
            }

            return Model.Load(File.ReadAllBytes(settings.OptimizedModelFilePath));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>Runs a model with per-node clocks on: which kernels ran, fused ones included, and for how long.</summary>
    /// <param name="model">The model.</param>
    /// <param name="feeds">One set of feeds for each run; the first run is warm-up and is left out of the times when there are more.</param>
    /// <param name="options">Threads and whether the runtime optimizes; extra outputs are returned by no one and cost time.</param>
    /// <exception cref="DiagnosticException">As <see cref="Open"/> and <see cref="IInferenceSession.Run"/>.</exception>
    public RunProfile Profile(
        Model model, IReadOnlyList<ImmutableArray<KeyValuePair<string, Graph.Tensors.Tensor>>> feeds, InferenceOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(feeds);
        options ??= new InferenceOptions();
        var folder = Directory.CreateDirectory(Path.Combine(_scratchDirectory, "buildml-" + Path.GetRandomFileName()));
        try
        {
            using var settings = SessionSettings.Of(options);
            settings.ProfileOutputPathPrefix = Path.Combine(folder.FullName, "profile");
            settings.EnableProfiling = true;
            using var session = OnnxRuntimeSession.Open(model, options.ExtraOutputs, settings, _scratchDirectory);
            foreach (var feed in feeds)
            {
                session.Run(feed);
            }

            return RunProfile.Read(session.EndProfiling());
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private OnnxRuntimeSession OpenSession(Model model, InferenceOptions options, bool bound)
    {
        using var settings = SessionSettings.Of(options);

        // With a memory pattern the runtime allocates all of a run's memory in one block from the second run on, and keeps what the first run took: a training step of MobileNetV2
        // then takes 1.9 GB instead of 1.0, and no less time.
        settings.EnableMemoryPattern = !bound;
        return OnnxRuntimeSession.Open(model, options.ExtraOutputs, settings, options.ScratchDirectory.Length > 0 ? options.ScratchDirectory : _scratchDirectory);
    }
}
