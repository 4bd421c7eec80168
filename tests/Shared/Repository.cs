namespace Build.ML.TestSupport;

/// <summary>The checkout that the running test was built from.</summary>
public static class Repository
{
    /// <summary>Full path of the folder that holds <c>Build.ML.sln</c>, without a trailing separator.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary><c>Debug</c> or <c>Release</c>: what the running test was built as.</summary>
    public static string Configuration { get; } =
        AppContext.BaseDirectory.Contains($"{Path.DirectorySeparatorChar}Release{Path.DirectorySeparatorChar}", StringComparison.Ordinal)
            ? "Release" : "Debug";

    /// <summary>Full path of a file of the checkout.</summary>
    /// <param name="parts">Path below <see cref="Root"/>, e.g. <c>"src", "Build.ML.Graph"</c>.</param>
    public static string PathOf(params ReadOnlySpan<string> parts) => Path.Combine([Root, .. parts]);

    static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "Build.ML.sln")))
                return folder.FullName;
        throw new DirectoryNotFoundException($"No folder above {AppContext.BaseDirectory} holds Build.ML.sln.");
    }
}
