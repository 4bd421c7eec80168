namespace Build.ML.Plugins.Tests;

/// <summary>Where the projects under tests/TestPlugins put their plugins.</summary>
static class TestPlugin
{
    internal static string PathOf(string name) => Path.Combine(FolderOf(name), name + ".dll");

    internal static string FolderOf(string name) =>
        Repository.PathOf("tests", "TestPlugins", name, "bin", Repository.Configuration, "net10.0");

    /// <summary>A copy that a test can damage; returns the assembly's path.</summary>
    internal static string CopyTo(TemporaryFolder folder, string name, string under = "")
    {
        foreach (var file in Directory.EnumerateFiles(FolderOf(name), "*", SearchOption.AllDirectories))
            File.Copy(file, folder.PathOf(Path.Combine(under, name, Path.GetRelativePath(FolderOf(name), file))));
        return folder.PathOf(Path.Combine(under, name, name + ".dll"));
    }
}
