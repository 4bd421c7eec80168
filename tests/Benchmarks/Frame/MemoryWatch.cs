using System.Globalization;

namespace Build.ML.Benchmarks.Frame;

/// <summary>
/// Looks at this process's memory every 20 ms: what it allocated (RssAnon), which the machine must have, apart from pages of mapped files (RssFile), which the system takes back
/// whenever it likes. Linux only; elsewhere all is zero.
/// </summary>
public sealed class MemoryWatch : IDisposable
{
    private readonly Timer? _timer;

    /// <summary>Begins to look.</summary>
    public MemoryWatch() => _timer = OperatingSystem.IsLinux() ? new Timer(_ => Look(), null, 0, 20) : null;

    /// <summary>Most bytes allocated so far, as far as was seen.</summary>
    public long PeakAllocated { get; private set; }

    /// <summary>Most bytes of mapped files that were resident so far, as far as was seen.</summary>
    public long PeakMapped { get; private set; }

    /// <inheritdoc/>
    public void Dispose() => _timer?.Dispose();

    /// <inheritdoc/>
    public override string ToString()
    {
        Look();
        return string.Create(
            CultureInfo.InvariantCulture,
            $"peak allocated {PeakAllocated / 1e9:0.00} GB, mapped files {PeakMapped / 1e9:0.00} GB, resident together {ChildProcess.PeakMemory() / 1e9:0.00} GB");
    }

    private void Look()
    {
        if (_timer is null)
        {
            return;
        }

        foreach (var line in File.ReadLines("/proc/self/status"))
        {
            if (line.StartsWith("RssAnon:", StringComparison.Ordinal))
            {
                PeakAllocated = Math.Max(PeakAllocated, Bytes(line));
            }
            else if (line.StartsWith("RssFile:", StringComparison.Ordinal))
            {
                PeakMapped = Math.Max(PeakMapped, Bytes(line));
            }
        }
    }

    private static long Bytes(string line) => long.Parse(line.AsSpan(line.IndexOf(':') + 1).TrimEnd("kB").Trim(), CultureInfo.InvariantCulture) * 1024;
}
