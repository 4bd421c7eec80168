using System.Runtime.InteropServices;

namespace Build.ML.OnnxRuntime.Kernels;

/// <summary>Memory that a session's kernels use while they run, kept from run to run: fresh memory would cost a page fault every 4 KB. For several threads at once.</summary>
internal sealed unsafe class ScratchPool : IDisposable
{
    private readonly List<(nint Address, long Bytes)> _free = [];

    /// <summary>Takes memory; its content is undefined.</summary>
    /// <param name="count">Number of floats.</param>
    public Lease Take(long count)
    {
        var bytes = Math.Max(64, count * sizeof(float));
        lock (_free)
        {
            var best = -1;
            for (var i = 0; i < _free.Count; i++)
            {
                if (_free[i].Bytes >= bytes && (best < 0 || _free[i].Bytes < _free[best].Bytes))
                {
                    best = i;
                }
            }

            if (best < 0 && _free.Count > 0)
            {
                // Too small all of them: one grows, so that the pool holds no more blocks than were ever used at once.
                NativeMemory.AlignedFree((void*)_free[^1].Address);
                _free.RemoveAt(_free.Count - 1);
            }
            else if (best >= 0)
            {
                var block = _free[best];
                _free.RemoveAt(best);
                return new(this, block.Address, block.Bytes);
            }
        }

        return new(this, (nint)NativeMemory.AlignedAlloc((nuint)bytes, 64), bytes);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var (address, _) in _free)
        {
            NativeMemory.AlignedFree((void*)address);
        }

        _free.Clear();
    }

    /// <summary>Memory taken, given back by disposing.</summary>
    public readonly struct Lease(ScratchPool pool, nint address, long bytes) : IDisposable
    {
        /// <summary>First float, at a multiple of 64 bytes.</summary>
        public float* Data => (float*)address;

        /// <inheritdoc/>
        public void Dispose()
        {
            lock (pool._free)
            {
                pool._free.Add((address, bytes));
            }
        }
    }
}
