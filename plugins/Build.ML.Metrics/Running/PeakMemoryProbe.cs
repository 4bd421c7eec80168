using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Build.ML.Metrics.Running;

/// <summary>How much the physical memory of this process rises while something runs.</summary>
internal static class PeakMemoryProbe
{
    private delegate int MallocTrim(nuint pad);

    /// <summary>Whether the kernel keeps a peak that can be reset (Linux), so that short peaks are not missed.</summary>
    public static bool KeepsPeak => OperatingSystem.IsLinux();

    /// <summary>Bytes of the highest rise above what the process held before.</summary>
    public static long Measure(Action action)
    {
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        ReturnFreedMemory();
        return KeepsPeak ? MeasureKept(action) : MeasureSampled(action);
    }

    // What native code freed stays with the process, and would be reused unseen, until glibc gives it back (malloc_trim(3); other C libraries have no such
    // function).
    private static void ReturnFreedMemory()
    {
        if (OperatingSystem.IsLinux() && NativeLibrary.TryGetExport(NativeLibrary.GetMainProgramHandle(), "malloc_trim", out var trim))
        {
            Marshal.GetDelegateForFunctionPointer<MallocTrim>(trim)(0);
        }
    }

    // proc(5): writing 5 to clear_refs resets the peak (VmHWM) to the current resident size (VmRSS).
    private static long MeasureKept(Action action)
    {
        File.WriteAllText("/proc/self/clear_refs", "5");
        var before = Status("VmRSS:");
        action();
        return Math.Max(0, Status("VmHWM:") - before);
    }

    private static long MeasureSampled(Action action)
    {
        using var process = Process.GetCurrentProcess();
        var before = process.WorkingSet64;
        var peak = before;
        using var done = new ManualResetEventSlim();
        var sampler = new Thread(() =>
        {
            using var sampled = Process.GetCurrentProcess();
            do
            {
                sampled.Refresh();
                peak = Math.Max(peak, sampled.WorkingSet64);
            }
            while (!done.Wait(1));
        });
        sampler.Start();
        try
        {
            action();
        }
        finally
        {
            done.Set();
            sampler.Join();
        }

        return peak - before;
    }

    private static long Status(string key)
    {
        foreach (var line in File.ReadLines("/proc/self/status"))
        {
            if (line.StartsWith(key, StringComparison.Ordinal))
            {
                return long.Parse(line.AsSpan(key.Length).Trim()[..^2], NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture) * 1024; // "1234 kB"
            }
        }

        throw new InvalidOperationException($"/proc/self/status has no line {key}");
    }
}
