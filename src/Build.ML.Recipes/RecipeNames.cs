using System.Buffers;
using System.Text.RegularExpressions;

namespace Build.ML.Recipes;

/// <summary>Which names are valid on every file system.</summary>
internal static partial class RecipeNames
{
    private const int LongestName = 64;

    // Folders of these names belong to the engine.
    private static readonly string[] Reserved = [Recipe.SourceModel, "source", "report", "out"];

    private static readonly SearchValues<char> Forbidden = SearchValues.Create("\\:*?\"<>|");

    /// <summary>What is wrong with the name of a recipe, a data set or a step, or null.</summary>
    internal static string? Problem(string name, bool isStep)
    {
        if (name.Length > LongestName || !Name().IsMatch(name))
        {
            return $"expected 1 to {LongestName} letters (a to z), digits, '_' or '-', not starting with '-'";
        }

        return Device().IsMatch(name) ? "Windows reserves this name for a device"
            : isStep && Reserved.Contains(name, StringComparer.OrdinalIgnoreCase) ? $"the names {string.Join(", ", Reserved)} are taken by the build itself"
            : null;
    }

    /// <summary>What is wrong with an output's file name, or null.</summary>
    internal static string? OutputProblem(string name)
    {
        if (name.Length is 0 or > 200)
        {
            return "expected 1 to 200 characters";
        }

        if (name.EndsWith(".provenance.json", StringComparison.OrdinalIgnoreCase))
        {
            return "names that end with '.provenance.json' are taken by the statement beside each output";
        }

        foreach (var part in name.Split('/'))
        {
            if (part is "" or "." or ".." || part.AsSpan().IndexOfAny(Forbidden) >= 0 || part.Any(char.IsControl))
            {
                return "expected a relative path with '/' between its parts, without '..' and without \\ : * ? \" < > |";
            }

            if (part[^1] is '.' or ' ' || part[0] == ' ' || Device().IsMatch(part.Split('.')[0]))
            {
                return "a part that ends with '.' or a blank, or is named like a device, is not valid on Windows";
            }
        }

        return null;
    }

    [GeneratedRegex(@"^[A-Za-z0-9_][A-Za-z0-9_-]*\z", RegexOptions.CultureInvariant)]
    private static partial Regex Name();

    [GeneratedRegex(@"^(?:con|prn|aux|nul|com[0-9]|lpt[0-9])\z", RegexOptions.CultureInvariant | RegexOptions.IgnoreCase)]
    private static partial Regex Device();
}
