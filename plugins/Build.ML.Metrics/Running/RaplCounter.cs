using System.Globalization;

namespace Build.ML.Metrics.Running;

/// <summary>
/// Running average power limit: the processor packages' own energy counters as Linux shows them (Documentation/power/powercap): microjoules that wrap
/// around at <c>max_energy_range_uj</c>. Everything the packages do is in them, not only this process.
/// </summary>
internal sealed class RaplCounter : IEnergyCounter
{
    private readonly List<Package> _packages;
    private double _joules;

    private RaplCounter(List<Package> packages) => _packages = packages;

    /// <inheritdoc/>
    public string Description => $"RAPL, {_packages.Count} package{(_packages.Count == 1 ? "" : "s")}, idle power included";

    /// <summary>The counter of all packages, or null where the kernel shows none or does not let this user read it.</summary>
    /// <param name="root">Folder of the power capping classes.</param>
    public static RaplCounter? Find(string root = "/sys/class/powercap")
    {
        if (!Directory.Exists(root))
        {
            return null;
        }

        var packages = new List<Package>();
        foreach (var zone in Directory.EnumerateDirectories(root).Order(StringComparer.Ordinal))
        {
            // Zones below a package (core, dram) are part of it or not everywhere there: only packages count.
            if (ReadText(Path.Combine(zone, "name"))?.StartsWith("package", StringComparison.Ordinal) != true)
            {
                continue;
            }

            if (ReadNumber(Path.Combine(zone, "energy_uj")) is not { } now || ReadNumber(Path.Combine(zone, "max_energy_range_uj")) is not { } range)
            {
                return null;
            }

            packages.Add(new Package(Path.Combine(zone, "energy_uj"), range) { Last = now });
        }

        return packages.Count == 0 ? null : new RaplCounter(packages);
    }

    /// <inheritdoc/>
    public double Read()
    {
        foreach (var package in _packages)
        {
            var now = ReadNumber(package.File) ?? throw new IOException($"{package.File} can no longer be read.");
            _joules += 1e-6 * (now >= package.Last ? now - package.Last : now + package.Range - package.Last);
            package.Last = now;
        }

        return _joules;
    }

    private static string? ReadText(string file)
    {
        try
        {
            return File.ReadAllText(file).Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null; // not there or not for this user: the caller measures another way and says so
        }
    }

    private static double? ReadNumber(string file) =>
        ulong.TryParse(ReadText(file), NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : null;

    private sealed class Package(string file, double range)
    {
        public string File => file;

        public double Range => range;

        public double Last { get; set; }
    }
}
