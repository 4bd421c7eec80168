namespace Build.ML.EndToEnd;

/// <summary>Real recipes with the packed worker, engine and plugins: what a change runs again, and that nothing else does.</summary>
[Collection(EndToEndTests.Name)]
public sealed class RecipeTests(PackedFeed feed)
{
    const string Recipe = """
        recipe: tiny
        model: tiny.onnx
        steps:
          - id: half
            use: prune.magnitude
            with: { sparsity: 0.5 }
          - id: most
            use: prune.magnitude
            with: { sparsity: 0.75 }
        outputs: { tiny.pruned.onnx: most }

        """;

    const string All = "model half most out";
    const string Output = "app/bin/Debug/net10.0/models/tiny.pruned.onnx";

    [Fact]
    public void Only_what_a_change_reaches_runs_again()
    {
        using var project = NewProject();
        project.Build().Did(ran: All, skipped: "");
        Assert.Equal(["tiny.pruned.onnx", "tiny.pruned.onnx.provenance.json"],
            Directory.GetFiles(project.PathOf("app/bin/Debug/net10.0/models")).Select(Path.GetFileName).Order());
        Assert.False(project.Rebuild().Did(ran: "", skipped: All).StartedWorker);

        // CommentChangeHit, KeyOrderChangeHit, TouchOnlyHit
        project.Write("app/tiny.buildml.yaml", "# a comment\n" + Recipe);
        File.SetLastWriteTimeUtc(project.PathOf("app/tiny.onnx"), DateTime.UnixEpoch.AddYears(50));
        project.Rebuild().Did(ran: "", skipped: All);

        // OptionChangeMiss
        var before = File.ReadAllBytes(project.PathOf(Output));
        project.Write("app/tiny.buildml.yaml", Recipe.Replace("0.75", "0.875", StringComparison.Ordinal));
        Assert.DoesNotContain("half", Names(project.Rebuild()), StringComparison.Ordinal);
        Assert.NotEqual(before, File.ReadAllBytes(project.PathOf(Output)));

        // OptionChangedBackHit: from the cache
        project.Write("app/tiny.buildml.yaml", Recipe);
        Assert.Contains("taken from the cache", project.Rebuild().Output, StringComparison.Ordinal);
        Assert.Equal(before, File.ReadAllBytes(project.PathOf(Output)));

        // ModelContentChangeMiss: with the time of before
        var time = File.GetLastWriteTimeUtc(project.PathOf("app/tiny.onnx"));
        TinyModel.Write(project.PathOf("app/tiny.onnx"), seed: 2);
        File.SetLastWriteTimeUtc(project.PathOf("app/tiny.onnx"), time);
        var changed = Names(project.Rebuild());
        Assert.Contains("half", changed, StringComparison.Ordinal);
        Assert.Contains("most", changed, StringComparison.Ordinal);
    }

    [Fact]
    public void A_removed_step_and_a_renamed_output_take_their_files_with_them()
    {
        using var project = NewProject();
        project.Build().Did(ran: All, skipped: "");

        project.Write("app/tiny.buildml.yaml", """
            recipe: tiny
            model: tiny.onnx
            steps:
              - id: half
                use: prune.magnitude
                with: { sparsity: 0.5 }
            outputs: { small.onnx: half }
            """);
        Assert.DoesNotContain("half", Names(project.Rebuild()), StringComparison.Ordinal);

        Assert.False(project.Exists("app/obj/buildml/tiny/most"));
        Assert.False(project.Exists(Output));
        Assert.True(project.Exists("app/bin/Debug/net10.0/models/small.onnx"));
    }

    [Fact]
    public void Violations_are_build_errors_at_their_place()
    {
        using var project = NewProject();
        project.Write("app/tiny.buildml.yaml", Recipe.Replace("sparsity: 0.5", "sparsity: 1.5", StringComparison.Ordinal).Replace("use: prune", "uses: prune", StringComparison.Ordinal));

        var failed = project.Build();

        Assert.NotEqual(0, failed.ExitCode);
        Assert.Empty(failed.Ran);
        Assert.Contains(failed.Errors, e => e.StartsWith("tiny.buildml.yaml(5,", StringComparison.Ordinal) && e.Contains("BML1", StringComparison.Ordinal));
        Assert.Contains(failed.Errors, e => e.StartsWith("tiny.buildml.yaml(8,", StringComparison.Ordinal));
    }

    [Fact]
    public void A_clean_build_takes_everything_from_the_cache_and_gives_the_same_bytes()
    {
        using var project = NewProject();
        project.Build().Did(ran: All, skipped: "");
        var first = File.ReadAllBytes(project.PathOf(Output));

        Assert.Equal(0, project.Command("clean", "app").ExitCode);
        Assert.False(project.Exists("app/obj/buildml"));

        var again = project.Rebuild();
        Assert.Contains("tiny/half: prune.magnitude taken from the cache", again.Output, StringComparison.Ordinal);
        Assert.Contains("tiny/most: prune.magnitude taken from the cache", again.Output, StringComparison.Ordinal);
        Assert.Equal(first, File.ReadAllBytes(project.PathOf(Output)));
    }

    [Fact]
    public void A_plugin_of_the_solution_is_built_first_and_its_steps_run_again_when_its_code_changes()
    {
        using var project = NewProject();
        project.Write("app/tiny.buildml.yaml", Recipe.Replace("use: prune.magnitude\n    with: { sparsity: 0.75 }", "use: mine.mark", StringComparison.Ordinal));
        project.Write("plugin/Mark.cs", PluginCode("one"));
        project.WriteProject("plugin/plugin.csproj", "<EnableDynamicLoading>true</EnableDynamicLoading>", $"""
            <Reference Include="{Contract("Build.ML.Abstractions")}" Private="false" />
            <Reference Include="{Contract("Build.ML.Graph")}" Private="false" />
            """, referencePackage: false);
        project.WriteProject("app/app.csproj", items: """
            <ProjectReference Include="../plugin/plugin.csproj" OutputItemType="BuildMLPlugin" ReferenceOutputAssembly="false" />
            """);
        project.Build().Did(ran: All, skipped: "");
        project.Rebuild().Did(ran: "", skipped: All);

        project.Write("plugin/Mark.cs", PluginCode("two"));
        project.Rebuild().Did(ran: "most out", skipped: "model half");

        static string Contract(string name) => Repository.PathOf("src", name, "bin", Repository.Configuration, "net10.0", name + ".dll");

        static string PluginCode(string mark) => $$"""
            using Build.ML.Abstractions;
            using Build.ML.Abstractions.Techniques;
            using Build.ML.Graph;

            [Technique("mine.mark")]
            public sealed class Mark : Technique<NoOptions>
            {
                public override StepResult Apply(Model model, NoOptions options, StepContext context)
                {
                    model.ProducerName = "{{mark}}";
                    return new StepResult(model);
                }
            }
            """;
    }

    Scenario NewProject()
    {
        var project = new Scenario(feed, testWorker: false, recipe: "");
        project.Write("app/tiny.buildml.yaml", Recipe);
        TinyModel.Write(project.PathOf("app/tiny.onnx"));
        return project;
    }

    static string Names(BuildResult build)
    {
        Assert.True(build.ExitCode == 0, build.Output);
        return string.Join(' ', build.Ran);
    }
}
