using Build.ML.Abstractions;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using YamlDotNet.RepresentationModel;

namespace Build.ML.TestPlugins;

/// <summary>Says which YamlDotNet it runs with.</summary>
[Technique("test.yaml_old")]
public sealed class YamlOld : Technique<NoOptions>
{
    /// <inheritdoc/>
    public override StepResult Apply(Model model, NoOptions options, StepContext context) =>
        new(model) { Notes = [typeof(YamlScalarNode).Assembly.GetName().Version!.ToString()] };
}
