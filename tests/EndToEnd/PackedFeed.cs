namespace Build.ML.EndToEnd;

/// <summary>
/// The package Build.ML, packed once from this checkout into a feed of its own, and the isolated package folder that all scenarios restore
/// into: nothing on the machine is used or changed.
/// </summary>
public sealed class PackedFeed : IDisposable
{
    readonly TemporaryFolder root = new();

    public PackedFeed()
    {
        Environment = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["NUGET_PACKAGES"] = root.PathOf("packages"),
            ["DOTNET_CLI_HOME"] = root.PathOf("home"),
            ["HOME"] = root.PathOf("home"),
            ["DOTNET_CLI_TELEMETRY_OPTOUT"] = "1",
            ["DOTNET_NOLOGO"] = "1",
            ["DOTNET_GENERATE_ASPNET_CERTIFICATE"] = "false",
            ["MSBUILDDISABLENODEREUSE"] = "1",
            ["MSBUILDTERMINALLOGGER"] = "off",
            ["NUGET_CERT_REVOCATION_MODE"] = "offline",
        };
        var (exitCode, output) = DotNet.Run(Repository.Root, Environment,
            "pack", Repository.PathOf("src", "Build.ML.Tasks"), "--no-restore", "-c", Repository.Configuration, "-o", Feed, "-v:quiet");
        Assert.True(exitCode == 0, output);
    }

    /// <summary>The folder that holds the packages.</summary>
    public string Feed => root.PathOf("feed");

    /// <summary>Environment of every command.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; }

    public void Dispose() => root.Dispose();
}

/// <summary>All end-to-end tests share the packed feed and run one after another: each starts builds that use every core.</summary>
[CollectionDefinition(Name)]
public sealed class EndToEndTests : ICollectionFixture<PackedFeed>
{
    public const string Name = "End to end";
}
