using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace Build.ML.OnnxRuntime.Kernels;

/// <summary>One run of a kernel.</summary>
/// <param name="context">The runtime's side of it.</param>
/// <param name="scratch">Memory for the time of the run.</param>
internal readonly unsafe struct KernelCall(nint context, ScratchPool scratch)
{
    /// <summary>Memory for the time of the run.</summary>
    public ScratchPool Scratch => scratch;

    /// <summary>An input; one that is left out has no data.</summary>
    public KernelTensor Input(int index)
    {
        var value = KernelApi.Input(context, index);
        var sizes = default(KernelTensor.SizeList);
        return value == 0 ? default : new(KernelApi.Data(value), KernelApi.Sizes(value, sizes), sizes);
    }

    /// <summary>An output, to be written.</summary>
    public float* Output(int index, params ReadOnlySpan<long> sizes) => KernelApi.Data(KernelApi.Output(context, index, sizes));

    /// <summary>Runs parts on the session's threads, each once, in any order.</summary>
    public void Parallel(int parts, Action<int> body)
    {
        if (parts == 1)
        {
            body(0);
            return;
        }

        var work = new Work(body);
        var handle = GCHandle.Alloc(work);
        try
        {
            KernelApi.ParallelFor(context, &RunPart, parts, GCHandle.ToIntPtr(handle));
        }
        finally
        {
            handle.Free();
        }

        work.Failure?.Throw();
    }

    [UnmanagedCallersOnly]
    private static void RunPart(nint data, nuint index)
    {
        var work = (Work)GCHandle.FromIntPtr(data).Target!;
        try
        {
            work.Body((int)index);
        }
        catch (Exception e)
        {
            // Must not leave the runtime's thread; thrown again by the caller.
            work.Failure = ExceptionDispatchInfo.Capture(e);
        }
    }

    private sealed class Work(Action<int> body)
    {
        public Action<int> Body => body;

        public ExceptionDispatchInfo? Failure { get; set; }
    }
}
