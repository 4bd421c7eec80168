using System.Collections.Immutable;
using Build.ML.Abstractions.Inference;
using Build.ML.Graph;
using Microsoft.ML.OnnxRuntime;
using TensorElementType = Microsoft.ML.OnnxRuntime.Tensors.TensorElementType;

namespace Build.ML.OnnxRuntime;

/// <summary>A session whose inputs and outputs are buffers bound once.</summary>
internal sealed class BoundSession : IBoundSession
{
    private readonly string _model;
    private readonly IDisposable _owner;
    private readonly InferenceSession _session;
    private readonly OrtIoBinding _binding;
    private readonly RunOptions _runOptions = new() { LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL };
    private readonly List<OrtValue> _values = [];

    // Held so that a buffer which nobody else refers to is not freed while the runtime has its address.
    private readonly TensorBuffer[] _buffers;

    /// <summary>Binds buffers that were checked.</summary>
    /// <param name="model">Name of the model, for messages.</param>
    /// <param name="owner">Disposed with this session.</param>
    /// <param name="session">The session.</param>
    /// <param name="inputs">Its inputs; all other names in <paramref name="buffers"/> are outputs.</param>
    /// <param name="buffers">Buffers by name.</param>
    public BoundSession(
        string model,
        IDisposable owner,
        InferenceSession session,
        ImmutableArray<KeyValuePair<string, OnnxType>> inputs,
        IReadOnlyDictionary<string, TensorBuffer> buffers)
    {
        _model = model;
        _owner = owner;
        _session = session;
        _buffers = [.. buffers.Values];
        _binding = session.CreateIoBinding();
        foreach (var (name, _) in inputs)
        {
            _binding.BindInput(name, Over(buffers[name]));
        }

        foreach (var name in session.OutputNames)
        {
            _binding.BindOutput(name, Over(buffers[name]));
        }
    }

    /// <inheritdoc/>
    public void Run(CancellationToken cancellation = default)
    {
        cancellation.ThrowIfCancellationRequested();
        _runOptions.Terminate = false; // set by a run that was stopped before
        try
        {
            using (cancellation.UnsafeRegister(static options => ((RunOptions)options!).Terminate = true, _runOptions))
            {
                _session.RunWithBinding(_runOptions, _binding);
            }
        }
        catch (OnnxRuntimeException) when (cancellation.IsCancellationRequested)
        {
            throw new OperationCanceledException(cancellation);
        }
        catch (OnnxRuntimeException e)
        {
            throw RuntimeErrors.OnRun(e, _model);
        }

        GC.KeepAlive(_buffers);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _binding.Dispose();
        foreach (var value in _values)
        {
            value.Dispose();
        }

        _runOptions.Dispose();
        _owner.Dispose();
    }

    private OrtValue Over(TensorBuffer buffer)
    {
        var value = OrtValue.CreateTensorValueWithData(
            OrtMemoryInfo.DefaultInstance, (TensorElementType)buffer.Type, [.. buffer.Sizes], buffer.Address, buffer.ByteLength);
        _values.Add(value);
        return value;
    }
}
