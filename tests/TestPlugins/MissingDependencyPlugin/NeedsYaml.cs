using Build.ML.Abstractions;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using YamlDotNet.RepresentationModel;

namespace Build.ML.TestPlugins;

/// <summary>Uses a library that the plugin does not bring.</summary>
[Technique("test.needs_yaml")]
public sealed class NeedsYaml : Technique<NoOptions>
{
    /// <inheritdoc/>
    public override StepResult Apply(Model model, NoOptions options, StepContext context) =>
        new(model) { Notes = [new YamlScalarNode("x").ToString()] };
}
