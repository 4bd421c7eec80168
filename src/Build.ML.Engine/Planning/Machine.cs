using System.Globalization;
using System.Runtime.InteropServices;

namespace Build.ML.Engine.Planning;

/// <summary>What figures such as latency depend on.</summary>
internal static class Machine
{
    /// <summary>Processor and number of cores; the same on machines of one kind.</summary>
    public static string Description { get; } = string.Create(
        CultureInfo.InvariantCulture, $"{Processor()}, {Environment.ProcessorCount} cores, {RuntimeInformation.ProcessArchitecture}");

    private static string Processor()
    {
        const string CpuInfo = "/proc/cpuinfo";
        if (OperatingSystem.IsLinux() && File.Exists(CpuInfo))
        {
            var line = File.ReadLines(CpuInfo).FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal));
            return line is null ? RuntimeInformation.ProcessArchitecture.ToString() : line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim();
        }

        return Environment.GetEnvironmentVariable("PROCESSOR_IDENTIFIER") ?? RuntimeInformation.OSDescription;
    }
}
