using System.Diagnostics;

namespace Build.ML.EndToEnd;

/// <summary>
/// A folder with a project that references the package, as a user has it. The worker is the test worker, whose recipes are one step a line
/// (see tests/TestWorker), or the packed one.
/// </summary>
sealed class Scenario : IDisposable
{
    internal static readonly string TestWorker =
        Repository.PathOf("tests", "TestWorker", "bin", Repository.Configuration, "net10.0", "Build.ML.TestWorker.dll");

    readonly PackedFeed feed;
    readonly TemporaryFolder root = new();
    int builds;

    internal Scenario(PackedFeed feed, bool testWorker = true, string recipe = "a -\nb a\nc a\nd b,c\n")
    {
        this.feed = feed;
        Write("nuget.config", $"""
            <configuration>
              <packageSources><clear /><add key="feed" value="{feed.Feed}" /></packageSources>
            </configuration>
            """);
        Write("Directory.Build.props", $"""
            <Project>
              <PropertyGroup>
                <TargetFramework>net10.0</TargetFramework>
                <UseAppHost>false</UseAppHost>
                <NuGetAudit>false</NuGetAudit>
                <BuildMLCachePath>$(MSBuildThisFileDirectory)cache</BuildMLCachePath>
                {(testWorker ? $"<BuildMLWorkerPath>{TestWorker}</BuildMLWorkerPath>" : "")}
              </PropertyGroup>
            </Project>
            """);
        WriteProject("app/app.csproj");
        if (recipe.Length > 0)
            Write("app/r.buildml.yaml", recipe);
    }

    internal string Folder => root.FullPath;

    internal string PathOf(string relative) => Path.Combine(root.FullPath, relative);

    internal bool Exists(string relative) => File.Exists(PathOf(relative)) || Directory.Exists(PathOf(relative));

    internal void Write(string relative, string text) => root.Write(relative, text);

    internal string Read(string relative) => File.ReadAllText(PathOf(relative));

    /// <summary>Writes a project that references the package as <c>dotnet add package</c> does with a tool of the build.</summary>
    internal void WriteProject(string relative, string properties = "", string items = "", bool referencePackage = true) => Write(relative, $"""
        <Project Sdk="Microsoft.NET.Sdk">
          <PropertyGroup>{properties}</PropertyGroup>
          <ItemGroup>
            {(referencePackage ? "<PackageReference Include=\"Build.ML\" Version=\"*\" PrivateAssets=\"all\" />" : "")}
            {items}
          </ItemGroup>
        </Project>
        """);

    /// <summary>Builds a project (<c>app</c> by default) with a binary log.</summary>
    internal BuildResult Build(params string[] switches) => Command(["build", "app", .. switches]);

    /// <summary>Builds again what was restored.</summary>
    internal BuildResult Rebuild(params string[] switches) => Command(["build", "app", "--no-restore", .. switches]);

    /// <summary>Runs a command of dotnet that takes MSBuild's switches.</summary>
    internal BuildResult Command(params string[] arguments)
    {
        var log = PathOf($"build{++builds}.binlog");
        var (exitCode, output) = DotNet.Run(Folder, feed.Environment, [.. arguments, $"-bl:{log}"]);
        return BuildResult.Read(exitCode, output, log);
    }

    /// <summary>Starts a command without waiting for it.</summary>
    internal Process Start(IReadOnlyDictionary<string, string>? environment, params string[] arguments) => DotNet.Start(
        Folder, environment is null ? feed.Environment : feed.Environment.Concat(environment).GroupBy(e => e.Key).ToDictionary(e => e.Key, e => e.Last().Value), arguments);

    public void Dispose() => root.Dispose();
}
