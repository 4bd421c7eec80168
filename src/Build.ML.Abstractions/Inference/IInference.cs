using System.Collections.Immutable;
using Build.ML.Graph;
using Build.ML.Graph.Tensors;

namespace Build.ML.Abstractions.Inference;

/// <summary>How a session runs a model.</summary>
public sealed record InferenceOptions
{
    /// <summary>Threads within an operator; default 1, which keeps results independent of the machine.</summary>
    public int Threads { get; init; } = 1;

    /// <summary>Whether the runtime's own graph optimizations are on; default true. Off keeps every node and value as the model has it.</summary>
    public bool Optimize { get; init; } = true;

    /// <summary>An existing folder for files of models that are too large for memory, deleted with the session. Default: empty, the runtime's own choice.</summary>
    public string ScratchDirectory { get; init; } = "";

    /// <summary>Values inside the graph to return besides the outputs, by name.</summary>
    public ImmutableArray<string> ExtraOutputs { get; init; } = [];
}

/// <summary>Opens models for running.</summary>
public interface IInference
{
    /// <summary>Name and version of the runtime; part of fingerprints.</summary>
    string Runtime { get; }

    /// <summary>
    /// Operators of the domain <c>com.buildml</c> that sessions have on this machine beside the runtime's own, by operator type; what training models may be built with. Default: none.
    /// </summary>
    /// <remarks>
    /// They give the same bits for any number of threads and any width of vectors. The runtime's own operators give the same bits for any number of threads, but choose among their
    /// implementations by the processor's instruction set: a model trained on another kind of processor differs in the last digits.
    /// </remarks>
    ImmutableHashSet<string> Kernels => [];

    /// <summary>Prepares a model; the session does not refer to it afterwards.</summary>
    /// <exception cref="Graph.Diagnostics.DiagnosticException">The runtime refuses the model; the message says what it said.</exception>
    IInferenceSession Open(Model model, InferenceOptions? options = null);

    /// <summary>
    /// Prepares a model to run over and over on memory that stays where it is: nothing is copied or allocated in a run. Results do not depend on
    /// <see cref="InferenceOptions.Threads"/>. Default: throws.
    /// </summary>
    /// <param name="model">The model, of static shapes; the session does not refer to it afterwards.</param>
    /// <param name="buffers">One buffer for every input, output and extra output, by name, and none besides; not disposed with the session, and not before it.</param>
    /// <param name="options">How to run.</param>
    /// <exception cref="Graph.Diagnostics.DiagnosticException">The runtime refuses the model, or a buffer is missing, unknown or of another type or other sizes.</exception>
    IBoundSession Bind(Model model, IReadOnlyDictionary<string, TensorBuffer> buffers, InferenceOptions? options = null) =>
        throw new NotSupportedException($"{GetType().Name} binds no buffers.");

    /// <summary>
    /// The graph as the runtime would run it on this machine: which kernels it fuses nodes to, what it computes beforehand. For reports; not a model to keep.
    /// Null where finding out would need more memory than a report is worth.
    /// </summary>
    /// <param name="model">The model; not changed.</param>
    /// <exception cref="Graph.Diagnostics.DiagnosticException">The runtime refuses the model.</exception>
    Model? Optimize(Model model) => null;
}

/// <summary>A model ready to run. Not for use by several threads at once.</summary>
public interface IInferenceSession : IDisposable
{
    /// <summary>Inputs a run must be fed: name and type.</summary>
    ImmutableArray<KeyValuePair<string, OnnxType>> Inputs { get; }

    /// <summary>Names of what a run returns: outputs, then extra outputs.</summary>
    ImmutableArray<string> Outputs { get; }

    /// <summary>Runs the model once.</summary>
    /// <param name="feeds">Tensors by input name; the empty name stands for the first input.</param>
    /// <returns>Tensors in the order of <see cref="Outputs"/>.</returns>
    ImmutableArray<Tensor> Run(ImmutableArray<KeyValuePair<string, Tensor>> feeds);
}
