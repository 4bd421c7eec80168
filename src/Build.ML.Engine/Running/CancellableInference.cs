using System.Collections.Immutable;
using Build.ML.Abstractions.Inference;
using Build.ML.Graph;
using Build.ML.Graph.Tensors;

namespace Build.ML.Engine.Running;

/// <summary>
/// Looks at cancellation before every run, so that a technique which forgets to look stops all the same, and keeps the files of large models in the item's scratch folder,
/// where they are found and deleted if the process is killed.
/// </summary>
internal sealed class CancellableInference(IInference inner, string scratch, CancellationToken cancellation) : IInference
{
    public string Runtime => inner.Runtime;

    public ImmutableHashSet<string> Kernels => inner.Kernels;

    public IInferenceSession Open(Model model, InferenceOptions? options = null)
    {
        cancellation.ThrowIfCancellationRequested();
        return new Session(inner.Open(model, (options ?? new InferenceOptions()) with { ScratchDirectory = scratch }), cancellation);
    }

    public IBoundSession Bind(Model model, IReadOnlyDictionary<string, TensorBuffer> buffers, InferenceOptions? options = null)
    {
        cancellation.ThrowIfCancellationRequested();
        return new BoundSession(inner.Bind(model, buffers, (options ?? new InferenceOptions()) with { ScratchDirectory = scratch }), cancellation);
    }

    public Model? Optimize(Model model)
    {
        cancellation.ThrowIfCancellationRequested();
        return inner.Optimize(model);
    }

    private sealed class Session(IInferenceSession inner, CancellationToken cancellation) : IInferenceSession
    {
        public ImmutableArray<KeyValuePair<string, OnnxType>> Inputs => inner.Inputs;

        public ImmutableArray<string> Outputs => inner.Outputs;

        public ImmutableArray<Tensor> Run(ImmutableArray<KeyValuePair<string, Tensor>> feeds)
        {
            cancellation.ThrowIfCancellationRequested();
            return inner.Run(feeds);
        }

        public void Dispose() => inner.Dispose();
    }

    private sealed class BoundSession(IBoundSession inner, CancellationToken cancellation) : IBoundSession
    {
        public void Run(CancellationToken own = default)
        {
            if (!own.CanBeCanceled || own == cancellation)
            {
                inner.Run(cancellation);
                return;
            }

            using var either = CancellationTokenSource.CreateLinkedTokenSource(own, cancellation);
            inner.Run(either.Token);
        }

        public void Dispose() => inner.Dispose();
    }
}
