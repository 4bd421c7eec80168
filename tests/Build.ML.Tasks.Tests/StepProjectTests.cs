using System.Xml.Linq;
using Build.ML.Tasks.Json;
using Build.ML.Tasks.Planning;

namespace Build.ML.Tasks.Tests;

public sealed class StepProjectTests
{
    static readonly string Work = Path.GetFullPath("work") + Path.DirectorySeparatorChar;

    [Fact]
    public void A_step_is_a_target_with_its_key_and_the_contents_it_needs_as_inputs_and_its_stamp_as_output()
    {
        var project = XDocument.Parse(StepProject.Text([Item("r/a"), Item("r/b", "r/a")], Work, "tasks.dll", parallel: false));

        var target = project.Descendants("Target").Single(t => (string?)t.Attribute("Name") == "r/b");
        Assert.Equal("r/b.key;r/a.content", ((string?)target.Attribute("Inputs"))!.Replace('\\', '/'));
        Assert.Equal("r/b.stamp", ((string?)target.Attribute("Outputs"))!.Replace('\\', '/'));
        Assert.Equal("r/a", (string?)target.Attribute("DependsOnTargets"));
        Assert.Equal("r/b", (string?)target.Element("RunItem")!.Attribute("Id"));
    }

    [Fact]
    public void Characters_that_msbuild_or_xml_reads_as_its_own_are_escaped()
    {
        var text = StepProject.Text([Item("r/a")], Work, "/a b/$(x)%20&<@/tasks.dll", parallel: false);

        var assembly = (string?)XDocument.Parse(text).Descendants("UsingTask").Single().Attribute("AssemblyFile");
        Assert.Equal("/a b/%24%28x%29%2520&<%40/tasks.dll", assembly);
    }

    static PlannedItem Item(string id, params string[] needs) => new(new JsonObject
    {
        ["id"] = id,
        ["kind"] = "step",
        ["needs"] = needs.Cast<object?>().ToList(),
        ["directory"] = Work + id,
        ["keyFile"] = Work + id + ".key",
        ["contentFile"] = Work + id + ".content",
        ["stampFile"] = Work + id + ".stamp",
        ["files"] = new List<object?>(),
    });
}
