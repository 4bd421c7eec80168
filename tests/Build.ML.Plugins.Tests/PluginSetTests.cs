using Build.ML.Abstractions;
using Build.ML.Abstractions.Architectures;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph;
using Build.ML.Training;

namespace Build.ML.Plugins.Tests;

public sealed class PluginSetTests
{
    [Fact]
    public void Plugins_with_conflicting_versions_of_a_library_run_side_by_side()
    {
        var plugins = PluginSet.Load([TestPlugin.PathOf("YamlOldPlugin"), TestPlugin.PathOf("YamlNewPlugin")]);

        Assert.Equal("15.0.0.0", NoteOf(plugins, "test.yaml_old"));
        Assert.Equal("16.0.0.0", NoteOf(plugins, "test.yaml_new"));
    }

    [Fact]
    public void The_contract_comes_from_the_host_though_the_plugin_has_a_copy_beside_it()
    {
        Assert.True(File.Exists(Path.Combine(TestPlugin.FolderOf("YamlNewPlugin"), "Build.ML.Abstractions.dll")));
        var plugins = PluginSet.Load([TestPlugin.PathOf("YamlNewPlugin")]);

        Assert.IsAssignableFrom<Technique<NoOptions>>(plugins.Catalogs.Techniques.Find("test.yaml_new")!.Create());
    }

    [Fact]
    public void A_plugin_needs_no_copy_of_the_contract()
    {
        using var folder = new TemporaryFolder();
        var path = TestPlugin.CopyTo(folder, "YamlNewPlugin");
        foreach (var copy in Directory.GetFiles(Path.GetDirectoryName(path)!, "Build.ML.*.dll"))
            File.Delete(copy);

        Assert.Equal("16.0.0.0", NoteOf(PluginSet.Load([path]), "test.yaml_new"));
    }

    [Fact]
    public void A_plugin_finds_the_native_library_it_brings()
    {
        var plugins = PluginSet.Load([TestPlugin.PathOf("NativePlugin")]);

        Assert.Matches(@"^3\.\d+\.\d+$", NoteOf(plugins, "test.native"));
    }

    [Fact]
    public void A_missing_dependency_is_named_before_anything_is_loaded()
    {
        var error = Assert.Single(Errors(TestPlugin.PathOf("MissingDependencyPlugin")));

        Assert.Equal("BML3015", error.Code);
        Assert.Contains("MissingDependencyPlugin needs YamlDotNet 16.0.0.0, which is not beside it", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(AppDomain.CurrentDomain.GetAssemblies(), a => a.GetName().Name == "MissingDependencyPlugin");
    }

    [Fact]
    public void A_dependency_deleted_after_publishing_is_named()
    {
        using var folder = new TemporaryFolder();
        var path = TestPlugin.CopyTo(folder, "YamlNewPlugin");
        File.Delete(Path.Combine(Path.GetDirectoryName(path)!, "YamlDotNet.dll"));

        Assert.Contains(Errors(path), e => e.Code == "BML3015" && e.Message.Contains("YamlDotNet", StringComparison.Ordinal));
    }

    [Fact]
    public void A_contract_of_another_version_is_refused_with_both_versions()
    {
        var error = Assert.Single(Errors(TestPlugin.PathOf("FutureContractPlugin")));
        var host = typeof(CatalogSet).Assembly.GetName().Version!;

        Assert.Equal("BML3013", error.Code);
        Assert.Contains($"built for Build.ML.Abstractions 0.99.0.0, this is {host}", error.Message, StringComparison.Ordinal);
        Assert.Equal(TestPlugin.PathOf("FutureContractPlugin"), error.Location!.File);
    }

    [Fact]
    public void All_violations_of_all_plugins_come_at_once()
    {
        var codes = Errors(
            TestPlugin.PathOf("MissingDependencyPlugin"), TestPlugin.PathOf("FutureContractPlugin"), TestPlugin.PathOf("DuplicatePlugin"),
            TestPlugin.PathOf("YamlNewPlugin"), "/none/None.dll").Select(e => e.Code).ToArray();

        Assert.Superset(
            new HashSet<string> { "BML3015", "BML3013", "BML3010", "BML3001", "BML3002", "BML3003", "BML3004", "BML3005" }, codes.ToHashSet());
    }

    [Theory]
    [InlineData("BML3001", "are both named 'test.yaml_new'")]
    [InlineData("BML3002", "Build.ML.TestPlugins.Open of DuplicatePlugin must be sealed")]
    [InlineData("BML3003", "Build.ML.TestPlugins.Closed of DuplicatePlugin needs a public constructor")]
    [InlineData("BML3004", "Build.ML.TestPlugins.Nameless of DuplicatePlugin is a ITechnique but lacks the attribute")]
    [InlineData("BML3005", "Build.ML.TestPlugins.NoTechnique of DuplicatePlugin carries TechniqueAttribute but is no concrete ITechnique")]
    public void A_class_that_does_not_fit_the_catalog_is_named(string code, string message)
    {
        var errors = Errors(TestPlugin.PathOf("DuplicatePlugin"), TestPlugin.PathOf("YamlNewPlugin"));

        Assert.Contains(errors, e => e.Code == code && e.Message.Contains(message, StringComparison.Ordinal));
    }

    [Fact]
    public void A_file_that_is_no_assembly_is_refused()
    {
        using var folder = new TemporaryFolder();

        Assert.Equal("BML3011", Assert.Single(Errors(folder.Write("Text.dll", "text"))).Code);
        Assert.Equal("BML3011", Assert.Single(Errors(folder.Write("Empty.dll", ""))).Code);
    }

    [Fact]
    public void An_assembly_without_the_contract_is_refused() =>
        Assert.Contains(Errors(Path.Combine(TestPlugin.FolderOf("YamlNewPlugin"), "YamlDotNet.dll")), e => e.Code == "BML3012");

    [Fact]
    public void Two_copies_of_a_plugin_are_refused_and_one_given_twice_is_not()
    {
        using var folder = new TemporaryFolder();
        var copy = TestPlugin.CopyTo(folder, "YamlNewPlugin");

        Assert.Equal("BML3014", Assert.Single(Errors(copy, TestPlugin.PathOf("YamlNewPlugin"))).Code);
        Assert.Single(PluginSet.Load([copy, copy]).Plugins);
    }

    [Fact]
    public void A_broken_deps_json_is_an_error()
    {
        using var folder = new TemporaryFolder();
        var path = TestPlugin.CopyTo(folder, "YamlNewPlugin");
        File.WriteAllText(Path.ChangeExtension(path, ".deps.json"), "{ \"targets\": 3 }");

        Assert.Equal("BML3016", Assert.Single(Errors(path)).Code);
    }

    [Fact]
    public void The_content_hash_covers_private_dependencies_and_not_the_folder()
    {
        using var folder = new TemporaryFolder();
        var original = HashOf(TestPlugin.PathOf("YamlNewPlugin"));
        var moved = TestPlugin.CopyTo(folder, "YamlNewPlugin");
        Assert.Equal(original, HashOf(moved));

        var changed = TestPlugin.CopyTo(folder, "YamlNewPlugin", "changed");
        File.AppendAllText(Path.Combine(Path.GetDirectoryName(changed)!, "YamlDotNet.dll"), "x");
        Assert.NotEqual(original, HashOf(changed));

        var contract = TestPlugin.CopyTo(folder, "YamlNewPlugin", "contract");
        File.AppendAllText(Path.Combine(Path.GetDirectoryName(contract)!, "Build.ML.Abstractions.dll"), "x");
        Assert.Equal(original, HashOf(contract));
    }

    [Fact]
    public void The_content_hash_covers_native_libraries()
    {
        using var folder = new TemporaryFolder();
        var changed = TestPlugin.CopyTo(folder, "NativePlugin");
        var native = Directory.EnumerateFiles(folder.FullPath, "libe_sqlite3.so", SearchOption.AllDirectories).Order(StringComparer.Ordinal).First();
        File.AppendAllText(native, "x");

        Assert.NotEqual(HashOf(TestPlugin.PathOf("NativePlugin")), HashOf(changed));
    }

    [Fact]
    public void A_class_leads_to_its_plugin()
    {
        var plugins = PluginSet.Load([TestPlugin.PathOf("YamlOldPlugin"), TestPlugin.PathOf("YamlNewPlugin")]);

        Assert.Equal("YamlOldPlugin", plugins.PluginOf(plugins.Catalogs.Techniques.Find("test.yaml_old")!.Type).Name);
    }

    [Fact]
    public void A_folder_of_plugins_is_searched_by_name()
    {
        using var folder = new TemporaryFolder();
        var path = TestPlugin.CopyTo(folder, "YamlNewPlugin");
        folder.Write("Other/NotOther.dll", "x");

        Assert.Equal([path], PluginSet.Find(folder.FullPath));
        Assert.Empty(PluginSet.Find(Path.Combine(folder.FullPath, "none")));
    }

    [Fact]
    public void Components_of_plugins_are_found_by_kind_whether_the_kind_is_the_contracts_or_their_own()
    {
        var plugins = PluginSet.Load([TestPlugin.PathOf("ComponentPlugin")]);
        var tiny = plugins.Catalogs.Components.Of(typeof(Architecture))!.Find("test-tiny")!;
        var own = Assert.Single(plugins.Catalogs.Components.Kinds, k => k.Key.Name == "TestKind");

        Assert.IsAssignableFrom<Architecture>(tiny.Create());
        Assert.Equal(["only"], own.Value.Names);
        Assert.Equal(Assert.Single(plugins.Plugins).ContentHash, plugins.CodeHash(tiny.Type));
    }

    [Fact]
    public void A_plugin_that_learns_is_known_by_the_training_code_of_the_host_too()
    {
        var plugins = PluginSet.Load([TestPlugin.PathOf("LearningPlugin"), TestPlugin.PathOf("ComponentPlugin")]);
        var schedules = plugins.Catalogs.Components.Of(typeof(LearningRateSchedule))!;
        var (own, contract) = (schedules.Find("test_half")!, schedules.Find("constant")!);
        var hashes = new[] { plugins.CodeHash(own.Type), plugins.PluginOf(own.Type).ContentHash, plugins.CodeHash(contract.Type) };

        Assert.IsAssignableFrom<LearningRateSchedule>(own.Create());
        Assert.All(hashes, h => Assert.Matches("^[0-9a-f]{64}$", h));
        Assert.Equal(3, hashes.Distinct().Count());
    }

    static string HashOf(string path) => Assert.Single(PluginSet.Load([path]).Plugins).ContentHash;

    static IReadOnlyList<Diagnostic> Errors(params string[] paths) =>
        Assert.Throws<DiagnosticException>(() => PluginSet.Load(paths)).Diagnostics;

    static string NoteOf(PluginSet plugins, string technique)
    {
        var result = plugins.Catalogs.Techniques.Find(technique)!.Create().Apply(new Model(), new NoOptions(), null!);
        return Assert.Single(result.Notes);
    }
}
