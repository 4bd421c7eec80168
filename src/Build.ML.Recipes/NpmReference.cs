using System.Diagnostics.CodeAnalysis;
using System.Text.RegularExpressions;

namespace Build.ML.Recipes;

/// <summary>
/// A file inside an npm package, pinned by version and content: <c>npm:@scope/name@1.2.3/path/in/package#sha256-hex</c>; without the path
/// the package as it is published, a .tgz file, for
/// data of many files.
/// </summary>
/// <param name="Package">Name, with scope.</param>
/// <param name="Version">Exact version.</param>
/// <param name="Path">Inside the package, forward slashes; empty for the package itself.</param>
/// <param name="Sha256">Of the file, 64 lower-case hexadecimal digits.</param>
public sealed partial record NpmReference(string Package, string Version, string Path, string Sha256)
{
    /// <summary>How such a reference starts.</summary>
    public const string Scheme = "npm:";

    /// <summary>The form, for messages.</summary>
    internal const string Form = "npm:package@1.2.3/path/in/package#sha256-<64 hexadecimal digits>";

    /// <summary>Parses a reference.</summary>
    /// <param name="text">The whole reference, with scheme.</param>
    /// <param name="reference">The parts, if well-formed.</param>
    /// <param name="why">What is wrong, if not.</param>
    public static bool TryParse(string text, [NotNullWhen(true)] out NpmReference? reference, [NotNullWhen(false)] out string? why)
    {
        (reference, why) = (null, null);
        var match = Pattern().Match(text);
        if (!match.Success)
        {
            why = $"expected {Form} with an exact version and the file's SHA-256.";
        }
        else if (match.Groups[3].Success && match.Groups[3].Value.Split('/').Any(part => part is "" or "." or ".."))
        {
            why = "the path must stay inside the package, without '.', '..' and empty parts.";
        }
        else
        {
            reference = new(match.Groups[1].Value, match.Groups[2].Value, match.Groups[3].Value, match.Groups[4].Value.ToLowerInvariant());
        }

        return reference is not null;
    }

    /// <summary>The reference as text.</summary>
    public override string ToString() => $"{Scheme}{Package}@{Version}{(Path.Length > 0 ? "/" : "")}{Path}#sha256-{Sha256}";

    [GeneratedRegex(
        @"^npm:((?:@[a-z0-9~-][a-z0-9._~-]*/)?[a-z0-9~-][a-z0-9._~-]*)@([0-9]+\.[0-9]+\.[0-9]+(?:[-+][0-9A-Za-z.+-]+)?)(?:/([^#\\\0]+))?#sha256-([0-9a-fA-F]{64})\z",
        RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex Pattern();
}
