using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Xml.Linq;

namespace Build.ML.Architecture;

public sealed class ReferenceTests
{
    public static TheoryData<string> Projects()
    {
        var rows = new TheoryData<string>();
        foreach (var folder in new[] { "src", "plugins" })
            foreach (var file in Directory.GetFiles(Repository.PathOf(folder), "*.csproj", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
                rows.Add(Path.GetRelativePath(Repository.Root, file).Replace('\\', '/'));
        return rows;
    }

    [Theory]
    [MemberData(nameof(Projects))]
    public void A_project_file_references_only_what_its_row_allows(string project)
    {
        var row = RowOf(project);
        var xml = XDocument.Load(Repository.PathOf(project));
        var projects = xml.Descendants("ProjectReference")
            .Where(r => (string?)r.Attribute("ReferenceOutputAssembly") != "false") // build order only
            .Select(r => Path.GetFileNameWithoutExtension((string)r.Attribute("Include")!));
        var packages = xml.Descendants("PackageReference").Select(r => (string?)r.Attribute("Include") ?? "");

        Assert.Empty(projects.Except(Layering.Reachable(row)));
        Assert.Empty(packages.Except(row.Libraries));
    }

    [Theory]
    [MemberData(nameof(Projects))]
    public void An_assembly_references_only_what_its_row_allows(string project)
    {
        var row = RowOf(project);
        var allowedProjects = Layering.Reachable(row);
        var allowedLibraries = row.Libraries.Concat(allowedProjects.SelectMany(p => Layering.Source[p].Libraries)).ToHashSet();

        var violations = ReferencesOf(AssemblyOf(project))
            .Where(name => !allowedProjects.Contains(name) && !allowedLibraries.Contains(name) && !IsBaseLibrary(name));

        Assert.Empty(violations);
    }

    [Fact]
    public void Rows_form_no_cycle()
    {
        foreach (var (name, row) in Layering.Source)
            Assert.DoesNotContain(name, Layering.Reachable(row));
    }

    [Fact]
    public void Built_in_plugins_get_no_internals_of_the_product()
    {
        var grants = from folder in new[] { "src" }
                     from file in Directory.EnumerateFiles(Repository.PathOf(folder), "*", SearchOption.AllDirectories)
                     where Path.GetExtension(file) is ".cs" or ".csproj" && !file.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal)
                     from line in File.ReadLines(file)
                     where line.Contains("InternalsVisibleTo", StringComparison.Ordinal)
                     where Layering.Plugins.Keys.Any(p => line.Contains($"\"{p}\"", StringComparison.Ordinal))
                     select $"{file}: {line}";

        Assert.Empty(grants);
    }

    static Layering.Row RowOf(string project)
    {
        var name = Path.GetFileNameWithoutExtension(project);
        var table = project.StartsWith("plugins/", StringComparison.Ordinal) ? Layering.Plugins : Layering.Source;
        Assert.True(table.TryGetValue(name, out var row), $"{project} has no row in tests/Architecture/Layering.cs: decide its layer and add one.");
        return row;
    }

    static string AssemblyOf(string project)
    {
        var xml = XDocument.Load(Repository.PathOf(project));
        var name = xml.Descendants("AssemblyName").Select(e => e.Value).FirstOrDefault() ?? Path.GetFileNameWithoutExtension(project);
        var framework = xml.Descendants("TargetFramework").Select(e => e.Value).FirstOrDefault() ?? "net10.0";
        var path = Path.Combine(Path.GetDirectoryName(Repository.PathOf(project))!, "bin", Repository.Configuration, framework, name + ".dll");
        Assert.True(File.Exists(path), $"{path} is not built.");
        return path;
    }

    static IReadOnlyList<string> ReferencesOf(string assembly)
    {
        using var file = new PEReader(File.OpenRead(assembly));
        var metadata = file.GetMetadataReader();
        return [.. metadata.AssemblyReferences.Select(r => metadata.GetString(metadata.GetAssemblyReference(r).Name))];
    }

    // What the shared framework itself carries, and the facade of netstandard2.0.
    static bool IsBaseLibrary(string name) =>
        name == "netstandard"
        || (AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES") as string ?? "").Split(Path.PathSeparator).Any(p =>
            Path.GetFileNameWithoutExtension(p) == name && p.Contains("Microsoft.NETCore.App", StringComparison.Ordinal));
}
