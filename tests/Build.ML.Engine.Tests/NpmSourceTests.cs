using Build.ML.Caching.Files;
using Build.ML.Engine.Sources;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Engine.Tests;

public sealed class NpmSourceTests : IDisposable
{
    private const string Package = "npm:is-odd@3.0.1";
    private const string Hash = "0f9e8227a22ef8abaf1aee8f82d7cc802964d44c9347ed4bbbaf8c427d19a995";
    private static readonly SourceLocation Here = new("net.buildml.yaml", 2, 8);
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [SkippableFact]
    public void A_file_of_a_package_is_fetched_once_and_then_comes_from_the_cache()
    {
        NpmPackage.Require();
        var path = Resolve($"{Package}/index.js#sha256-{Hash}", "first");
        Assert.Equal(Hash, FileHash.Of(path));
        Assert.Equal("index.js", Path.GetFileName(path));
        // No registry has this version: only the cache can know the content.
        Assert.Equal(Hash, FileHash.Of(Resolve($"npm:is-odd@999.0.0/index.js#sha256-{Hash}", "second")));
    }

    [SkippableFact]
    public void A_whole_package_is_fetched_as_it_is_published()
    {
        NpmPackage.Require();
        const string published = "13c23b3f1f3a5c146b8906e23c8e674f8e4a6ff44b77720e1d4bddb7b2caf312";
        var path = Resolve($"{Package}#sha256-{published}", "whole");
        Assert.Equal(published, FileHash.Of(path));
        Assert.Equal("is-odd-3.0.1.tgz", Path.GetFileName(path));
    }

    [SkippableFact]
    public void Another_content_than_the_recipe_says_is_refused()
    {
        NpmPackage.Require();
        var error = Refused($"{Package}/package.json#sha256-{Hash}");
        Assert.Equal("BML5012", error.Code);
        Assert.Contains("5ecb92855f47dd9e225d37437e50f76c9fd41eda3d978d1d416066eadf1dc75c", error.Message);
    }

    [SkippableFact]
    public void A_file_that_the_package_lacks_is_named()
    {
        NpmPackage.Require();
        var error = Refused($"{Package}/model.onnx#sha256-{Hash}");
        Assert.Equal(("BML5011", Here), (error.Code, error.Location));
        Assert.Contains("model.onnx", error.Message);
    }

    [SkippableFact]
    public void What_npm_says_about_a_version_that_does_not_exist_is_passed_on()
    {
        NpmPackage.Require();
        var error = Refused($"npm:is-odd@999.0.0/index.js#sha256-{Hash}");
        Assert.Equal("BML5010", error.Code);
        Assert.Contains("is-odd@999.0.0", error.Message);
    }

    [Fact]
    public void A_path_is_left_alone()
    {
        var file = _folder.Write("a.onnx", "x");
        Assert.Equal(file, Resolve(file, "any"));
    }

    private Diagnostic Refused(string reference) => Assert.Single(Assert.Throws<DiagnosticException>(() => Resolve(reference, "refused")).Diagnostics);

    private string Resolve(string reference, string folder)
    {
        using var store = BuildEngine.OpenStore(new EngineOptions { CachePath = _folder.PathOf("cache"), WorkPath = _folder.PathOf("work") });
        using var hashes = new FileHashCache();
        using var temporary = new TemporaryArea(_folder.PathOf("temporary"));
        return new FileStore(store, hashes, _folder.PathOf(folder), temporary).Resolve(reference, Here, CancellationToken.None);
    }
}
