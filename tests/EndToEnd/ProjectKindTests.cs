using System.IO.Compression;

namespace Build.ML.EndToEnd;

/// <summary>What dotnet's other commands and other shapes of projects do with a recipe's outputs.</summary>
[Collection(EndToEndTests.Name)]
public sealed class ProjectKindTests(PackedFeed feed)
{
    const string Published = "app/bin/Release/net10.0/publish/models/model.txt";

    [Fact]
    public void Publish_takes_the_outputs_along_and_with_no_build_only_them()
    {
        using var project = new Scenario(feed, recipe: "a -\n");
        project.Command("restore", "app");

        var tooEarly = project.Command("publish", "app", "--no-build");
        Assert.Contains(tooEarly.Errors, e => e.Contains("BML7007", StringComparison.Ordinal));

        project.Command("publish", "app").Did(ran: "a out", skipped: "");
        Assert.True(project.Exists(Published));

        Directory.Delete(project.PathOf("app/bin/Release/net10.0/publish"), recursive: true);
        project.Write("app/r.buildml.yaml", "a - text:new\n");
        var last = project.Command("publish", "app", "--no-build").Did(ran: "", skipped: "");
        Assert.False(last.StartedWorker);
        Assert.True(project.Exists(Published));
    }

    [Fact]
    public void Pack_makes_the_outputs_content_that_a_referencing_project_gets()
    {
        using var project = new Scenario(feed, recipe: "a -\n");
        var packed = project.Command("pack", "app", "-o", project.PathOf("packed"), "-p:PackageVersion=1.2.3");
        Assert.True(packed.ExitCode == 0, packed.Output);
        Assert.Equal(["r/a", "r/out"], packed.Ran);

        using (var package = ZipFile.OpenRead(project.PathOf("packed/app.1.2.3.nupkg")))
        {
            Assert.Contains(package.Entries, e => e.FullName == "contentFiles/any/any/models/model.txt");
            using var nuspec = new StreamReader(package.GetEntry("app.nuspec")!.Open());
            var text = nuspec.ReadToEnd();
            Assert.DoesNotContain("id=\"Build.ML\"", text, StringComparison.Ordinal); // a tool of the build, not of its package's users
        }

        project.Write("nuget.config", $"""
            <configuration>
              <packageSources><clear /><add key="packed" value="{project.PathOf("packed")}" /></packageSources>
              <config><add key="globalPackagesFolder" value="packages" /></config>
            </configuration>
            """);
        project.WriteProject("user/user.csproj", referencePackage: false, items: "<PackageReference Include=\"app\" Version=\"1.2.3\" />");
        var used = project.Command("build", "user", $"-p:RestorePackagesPath={project.PathOf("packages")}");
        Assert.True(used.ExitCode == 0, used.Output);
        Assert.Equal("out", project.Read("user/bin/Debug/net10.0/models/model.txt"));
    }

    [Fact]
    public void Clean_deletes_what_builds_left_and_nothing_else()
    {
        using var project = new Scenario(feed, recipe: "a -\n");
        project.Build().Did(ran: "a out", skipped: "");
        project.Write("app/obj/buildml/mine.txt", "not the build's");

        Assert.Equal(0, project.Command("clean", "app").ExitCode);
        Assert.False(project.Exists("app/bin/Debug/net10.0/models/model.txt"));
        Assert.Equal([project.PathOf("app/obj/buildml/mine.txt")], Directory.GetFileSystemEntries(project.PathOf("app/obj/buildml"), "*", SearchOption.AllDirectories));

        project.Rebuild().Did(ran: "a out", skipped: "");
    }

    [Fact]
    public void A_renamed_output_is_gone_from_the_output_folder()
    {
        using var project = new Scenario(feed, recipe: "a -\n");
        project.Build().Did(ran: "a out", skipped: "");
        project.Rebuild("-p:BuildMLOutputFolder=nets").Did(ran: "", skipped: "a out");
        Assert.False(project.Exists("app/bin/Debug/net10.0/models/model.txt"));
        Assert.True(project.Exists("app/bin/Debug/net10.0/nets/model.txt"));
    }

    [Fact]
    public void A_project_of_several_frameworks_runs_each_step_once()
    {
        using var project = new Scenario(feed, recipe: "a -\nb a\n");
        // Two frameworks that need nothing beyond the SDK.
        project.Write("app/app.csproj", """
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup><TargetFramework /><TargetFrameworks>net10.0;net10.0-other1.0</TargetFrameworks><TargetPlatformSupported>true</TargetPlatformSupported></PropertyGroup>
              <ItemGroup><SdkSupportedTargetPlatformVersion Include="1.0" /><PackageReference Include="Build.ML" Version="*" PrivateAssets="all" /></ItemGroup>
            </Project>
            """);
        project.Build("-m:2").Did(ran: "a b out", skipped: "");
        Assert.True(project.Exists("app/bin/Debug/net10.0/models/model.txt"));
        Assert.True(project.Exists("app/bin/Debug/net10.0-other1.0/models/model.txt"));

        project.Rebuild("-m:2").Did(ran: "", skipped: "a b out");
        project.Rebuild("-f", "net10.0").Did(ran: "", skipped: "a b out");
    }

    [Theory]
    [InlineData("-graphBuild:false")]
    [InlineData("-graphBuild:true")]
    public void A_project_that_references_the_project_gets_its_outputs(string graph)
    {
        using var project = new Scenario(feed, recipe: "a -\n");
        project.WriteProject("user/user.csproj", referencePackage: false, items: "<ProjectReference Include=\"../app/app.csproj\" />");

        project.Command("build", "user", graph, "-m:2").Did(ran: "a out", skipped: "");
        Assert.Equal("out", project.Read("user/bin/Debug/net10.0/models/model.txt"));
        project.Command("build", "user", "--no-restore", graph, "-m:2").Did(ran: "", skipped: "a out");
    }

    [Fact]
    public void Two_builds_at_once_take_turns()
    {
        using var project = new Scenario(feed, recipe: "a - sleep:1500\nb a sleep:500\n");
        Assert.Equal(0, project.Command("restore", "app").ExitCode);

        // Two projects that share one project folder's work: the same project, built for two configurations.
        using var first = project.Start(null, "build", "app", "--no-restore", "-c", "Debug");
        var firstOutput = DotNet.Collect(first);
        using var second = project.Start(null, "build", "app", "--no-restore", "-c", "Release");
        var secondOutput = DotNet.Collect(second);
        first.WaitForExit();
        second.WaitForExit();

        Assert.True(first.ExitCode == 0, firstOutput.ToString());
        Assert.True(second.ExitCode == 0, secondOutput.ToString());
        var (one, other) = (firstOutput.ToString(), secondOutput.ToString());
        var ran = new[] { one, other }.Count(o => o.Contains("3 of 3 steps ran", StringComparison.Ordinal));
        var upToDate = new[] { one, other }.Count(o => o.Contains("all 3 steps are up to date", StringComparison.Ordinal));
        Assert.Equal((1, 1), (ran, upToDate));
    }
}
