using System.Text.Json;

namespace Build.ML.Benchmarks.Frame;

/// <summary>Stories to calibrate on, and others to measure on.</summary>
internal static class StorySets
{
    /// <summary>Writes the sets as files of the benchmark's folder: <c>calibration</c>, <c>held-out</c>, <c>all</c>.</summary>
    /// <param name="context">Folder.</param>
    /// <param name="file">A JSON array of stories.</param>
    /// <param name="calibration">The first so many calibrate.</param>
    /// <param name="stories">So many of the others measure; 0 takes all.</param>
    public static Dictionary<string, string> Split(BenchmarkContext context, string file, int calibration, int stories)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(file));
        var elements = document.RootElement.EnumerateArray().Select(e => e.GetRawText()).ToList();
        var rest = elements.Skip(calibration);
        return new Dictionary<string, string>
        {
            ["calibration"] = Write("calibration", elements.Take(calibration)),
            ["held-out"] = Write("held-out", stories > 0 ? rest.Take(stories) : rest),
            ["all"] = Write("all", elements),
        };

        string Write(string name, IEnumerable<string> items)
        {
            var path = Path.Combine(context.Folder, name + ".json");
            File.WriteAllText(path, "[" + string.Join(",\n", items) + "]");
            return path;
        }
    }
}
