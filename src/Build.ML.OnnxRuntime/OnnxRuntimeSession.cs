using System.Collections.Immutable;
using Build.ML.Abstractions.Inference;
using Build.ML.Graph;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime.Kernels;
using Microsoft.ML.OnnxRuntime;

namespace Build.ML.OnnxRuntime;

/// <summary>A model loaded into ONNX Runtime.</summary>
internal sealed class OnnxRuntimeSession : IInferenceSession
{
    private readonly string _model;
    private readonly InferenceSession _session;
    private readonly RunOptions _runOptions = new() { LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL };
    private readonly string[] _inputNames;
    private readonly IDisposable? _files;
    private readonly IDisposable? _kernels;

    private OnnxRuntimeSession(
        string model, InferenceSession session, ImmutableArray<KeyValuePair<string, OnnxType>> inputs, IDisposable? files, IDisposable? kernels)
    {
        _model = model;
        _session = session;
        _files = files;
        _kernels = kernels;
        Inputs = inputs;
        Outputs = [.. session.OutputNames];
        _inputNames = [.. inputs.Select(i => i.Key)];
    }

    /// <inheritdoc/>
    public ImmutableArray<KeyValuePair<string, OnnxType>> Inputs { get; }

    /// <inheritdoc/>
    public ImmutableArray<string> Outputs { get; }

    /// <summary>Loads a model.</summary>
    /// <param name="model">The model; not referred to afterwards.</param>
    /// <param name="extraOutputs">Inner values to return too.</param>
    /// <param name="settings">Session options.</param>
    /// <param name="scratchDirectory">Where a model too large for memory is written.</param>
    public static OnnxRuntimeSession Open(
        Model model, ImmutableArray<string> extraOutputs, SessionOptions settings, string scratchDirectory)
    {
        var name = model.Path ?? $"graph '{model.Graph.Name}'";
        if (extraOutputs.Length > 0)
        {
            ExtraOutputs.Check(model, extraOutputs);
            using var clone = model.Clone();
            ExtraOutputs.Add(clone, extraOutputs);
            return Open(clone, name, settings, scratchDirectory);
        }

        return Open(model, name, settings, scratchDirectory);
    }

    /// <inheritdoc/>
    public ImmutableArray<Tensor> Run(ImmutableArray<KeyValuePair<string, Tensor>> feeds)
    {
        var ordered = Feeds.Order(_model, Inputs, feeds);
        return RunPinned(ordered, 0, new OrtValue[ordered.Length]);
    }

    /// <summary>Hands the session over to a binding, which disposes it; when buffers do not fit it is disposed at once.</summary>
    /// <exception cref="Graph.Diagnostics.DiagnosticException">BML5105, one for each buffer that does not fit.</exception>
    public BoundSession Bind(IReadOnlyDictionary<string, TensorBuffer> buffers)
    {
        try
        {
            Feeds.CheckBuffers(_model, Inputs, RuntimeTypes.OutputsOf(_session), buffers);
            return new BoundSession(_model, this, _session, Inputs, buffers);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Ends profiling and returns the path of the file written.</summary>
    public string EndProfiling() => _session.EndProfiling();

    /// <inheritdoc/>
    public void Dispose()
    {
        _runOptions.Dispose();
        _session.Dispose();
        _files?.Dispose(); // after the session, which may have the files mapped
        _kernels?.Dispose();
    }

    private static OnnxRuntimeSession Open(
        Model model, string name, SessionOptions settings, string scratchDirectory)
    {
        RuntimeTypes.CheckDeclared(name, model);
        ModelFiles? files = null;
        InferenceSession? session = null;
        KernelDomain? kernels = null;
        try
        {
            kernels = KernelDomain.AddTo(settings, model);
            if (ModelFiles.FitsInMemory(model))
            {
                session = new InferenceSession(model.ToBytes(), settings);
            }
            else
            {
                files = ModelFiles.Write(model, scratchDirectory);
                session = new InferenceSession(files.ModelPath, settings);
            }

            return new OnnxRuntimeSession(name, session, RuntimeTypes.InputsOf(name, model, session), files, kernels);
        }
        catch (OnnxRuntimeException e)
        {
            session?.Dispose();
            files?.Dispose();
            kernels?.Dispose();
            throw RuntimeErrors.OnOpen(e, name);
        }
        catch
        {
            session?.Dispose();
            files?.Dispose();
            kernels?.Dispose();
            throw;
        }
    }

    // Each level pins one feed's memory for the time of the run, so that nothing is copied.
    private unsafe ImmutableArray<Tensor> RunPinned(Tensor[] feeds, int index, OrtValue[] values)
    {
        if (index == feeds.Length)
        {
            return RunValues(feeds, values);
        }

        var feed = feeds[index];
        if (feed.Type == DataType.String)
        {
            using var strings = TensorExchange.StringsOf(feed);
            values[index] = strings;
            return RunPinned(feeds, index + 1, values);
        }

        using var view = feed.Read<byte>();
        byte nothing = 0;
        fixed (byte* start = view.Span)
        {
            using var value = TensorExchange.Over(feed, start == null ? &nothing : start);
            values[index] = value;
            return RunPinned(feeds, index + 1, values);
        }
    }

    private ImmutableArray<Tensor> RunValues(Tensor[] feeds, OrtValue[] values)
    {
        try
        {
            using var results = _session.Run(_runOptions, _inputNames, values, _session.OutputNames);
            var tensors = ImmutableArray.CreateBuilder<Tensor>(results.Count);
            for (var i = 0; i < results.Count; i++)
            {
                tensors.Add(TensorExchange.CopyOf(results[i], _model, Outputs[i]));
            }

            return tensors.MoveToImmutable();
        }
        catch (OnnxRuntimeException e)
        {
            throw RuntimeErrors.OnRun(e, _model, _inputNames, feeds);
        }
    }
}
