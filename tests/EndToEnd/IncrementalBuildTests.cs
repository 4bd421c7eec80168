namespace Build.ML.EndToEnd;

/// <summary>What runs again after a change, counted from binary logs.</summary>
[Collection(EndToEndTests.Name)]
public sealed class IncrementalBuildTests(PackedFeed feed)
{
    [Fact]
    public void A_build_runs_every_step_then_none_then_only_what_a_change_reaches()
    {
        using var project = new Scenario(feed);

        var first = project.Build().Did(ran: "a b c d out", skipped: "");
        Assert.Contains("5 of 5 steps ran", first.Output, StringComparison.Ordinal);
        Assert.Equal("out", project.Read("app/bin/Debug/net10.0/models/model.txt"));

        var second = project.Rebuild().Did(ran: "", skipped: "a b c d out");
        Assert.False(second.StartedWorker);
        Assert.Contains("all 5 steps are up to date", second.Output, StringComparison.Ordinal);

        // -question succeeds where nothing is to do
        project.Rebuild("-question").Did(ran: "", skipped: "a b c d out");

        // an option of b: b changes, its content changes, so does d's input
        project.Write("app/r.buildml.yaml", "a -\nb a text:b2\nc a\nd b,c\n");
        var question = project.Rebuild("-question");
        Assert.NotEqual(0, question.ExitCode);
        Assert.Contains(question.Errors, e => e.Contains("BML7006", StringComparison.Ordinal));
        Assert.Empty(question.Ran);
        project.Rebuild().Did(ran: "b d", skipped: "a c out");

        // an option of a that changes nothing of what it yields: early cutoff
        project.Write("app/r.buildml.yaml", "a - text:a\nb a text:b2\nc a\nd b,c\n");
        project.Rebuild().Did(ran: "a", skipped: "b c d out");
    }

    [Fact]
    public void A_touched_recipe_and_a_comment_run_nothing()
    {
        using var project = new Scenario(feed);
        project.Build().Did(ran: "a b c d out", skipped: "");

        File.SetLastWriteTimeUtc(project.PathOf("app/r.buildml.yaml"), DateTime.UnixEpoch.AddYears(60));
        Assert.False(project.Rebuild().Did(ran: "", skipped: "a b c d out").StartedWorker);

        project.Write("app/r.buildml.yaml", "# more\na -\nb a\nc a\nd b,c\n");
        Assert.True(project.Rebuild().Did(ran: "", skipped: "a b c d out").StartedWorker);
    }

    [Fact]
    public void A_change_that_keeps_the_time_and_size_of_the_recipe_is_seen()
    {
        using var project = new Scenario(feed);
        project.Build().Did(ran: "a b c d out", skipped: "");
        var time = File.GetLastWriteTimeUtc(project.PathOf("app/r.buildml.yaml"));

        project.Write("app/r.buildml.yaml", "a -\nb a\nx a\nd b,x\n");
        File.SetLastWriteTimeUtc(project.PathOf("app/r.buildml.yaml"), time);

        project.Rebuild().Did(ran: "x d", skipped: "a b out");
        Assert.False(project.Exists("app/obj/buildml/r/c"));
        Assert.False(project.Exists("app/obj/buildml/r/c.stamp"));
    }

    [Fact]
    public void A_moved_checkout_runs_nothing()
    {
        using var project = new Scenario(feed);
        project.Build().Did(ran: "a b c d out", skipped: "");

        Directory.Move(project.PathOf("app"), project.PathOf("moved"));
        Directory.CreateDirectory(project.PathOf("app"));
        Directory.Move(project.PathOf("moved"), project.PathOf("app/elsewhere"));

        project.Command("build", "app/elsewhere").Did(ran: "", skipped: "a b c d out");
    }

    [Fact]
    public void A_deleted_or_altered_result_is_made_again()
    {
        using var project = new Scenario(feed);
        project.Build().Did(ran: "a b c d out", skipped: "");

        File.Delete(project.PathOf("app/obj/buildml/r/b/b.txt"));
        project.Rebuild().Did(ran: "b", skipped: "a c d out");

        project.Write("app/obj/buildml/r/out/model.txt", "altered");
        project.Rebuild().Did(ran: "out", skipped: "a b c d");
        Assert.Equal("out", project.Read("app/bin/Debug/net10.0/models/model.txt"));
    }

    [Fact]
    public void A_recipe_taken_away_takes_its_files_with_it()
    {
        using var project = new Scenario(feed);
        project.Write("app/s.buildml.yaml", "z - text:z\n");
        project.Write("Directory.Build.targets", "<Project><PropertyGroup><BuildMLOutputFolder>m</BuildMLOutputFolder></PropertyGroup></Project>");
        var clash = project.Build();
        Assert.Contains(clash.Errors, e => e.Contains("BML7008", StringComparison.Ordinal)); // both yield model.txt

        File.Delete(project.PathOf("app/s.buildml.yaml"));
        project.Rebuild().Did(ran: "", skipped: "a b c d out");
        Assert.False(project.Exists("app/obj/buildml/s"));
        Assert.True(project.Exists("app/bin/Debug/net10.0/m/model.txt"));
    }

    [Fact]
    public void A_failing_step_keeps_the_last_good_output_and_names_its_error()
    {
        using var project = new Scenario(feed);
        project.Build().Did(ran: "a b c d out", skipped: "");

        project.Write("app/r.buildml.yaml", "a -\nb a fail\nc a\nd b,c\n");
        var failed = project.Rebuild();
        Assert.NotEqual(0, failed.ExitCode);
        Assert.Contains(failed.Errors, e => e.Contains("BML5999: as the recipe asks", StringComparison.Ordinal));
        Assert.Equal(["r/b"], failed.Ran);
        Assert.Equal("b", project.Read("app/obj/buildml/r/b/b.txt"));

        project.Write("app/r.buildml.yaml", "a -\nb\nc a\nd b,c\n");
        var wrong = project.Rebuild();
        Assert.Equal(["r.buildml.yaml(2,1): BML1001: 'b' is no step."], wrong.Errors);
        Assert.Empty(wrong.Ran);

        // put right, with the stamps of before: only b has to prove itself
        project.Write("app/r.buildml.yaml", "a -\nb a\nc a\nd b,c\n");
        project.Rebuild().Did(ran: "b", skipped: "a c d out");
    }

    [Fact]
    public void A_worker_that_dies_or_chatters_is_reported_as_what_it_is()
    {
        using var project = new Scenario(feed, recipe: "a - noise\nb a\n");
        project.Build().Did(ran: "a b out", skipped: ""); // text that looks like errors is none

        project.Write("app/r.buildml.yaml", "a - noise\nb a crash\n");
        var crashed = project.Rebuild();
        Assert.NotEqual(0, crashed.ExitCode);
        Assert.Contains(crashed.Errors, e => e.Contains("BML7002", StringComparison.Ordinal) && e.Contains("about to crash", StringComparison.Ordinal));

        project.Write("app/r.buildml.yaml", "a - noise\nb a\n");
        project.Rebuild().Did(ran: "b", skipped: "a out");
    }

    [Fact]
    public void Independent_steps_run_on_several_nodes_when_asked_to()
    {
        using var project = new Scenario(feed);
        project.Build("-m:2", "-p:BuildMLParallel=true").Did(ran: "a b c d out", skipped: "");
        project.Rebuild("-m:2", "-p:BuildMLParallel=true").Did(ran: "", skipped: "a b c d out");
    }

    [Fact]
    public void A_disabled_or_design_time_build_does_nothing()
    {
        using var project = new Scenario(feed);
        project.Build("-p:BuildMLEnabled=false").Did(ran: "", skipped: "");
        project.Rebuild("-p:DesignTimeBuild=true", "-p:SkipCompilerExecution=true", "-p:ProvideCommandLineArgs=true", "-t:Compile;AssignTargetPaths").Did(ran: "", skipped: "");
        Assert.False(project.Exists("app/obj/buildml"));
    }
}
