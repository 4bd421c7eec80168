using Build.ML.Abstractions;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;

namespace Build.ML.TestPlugins;

/// <summary>Has the name of a technique in YamlNewPlugin.</summary>
[Technique("test.yaml_new")]
public sealed class YamlNewAgain : Technique<NoOptions>
{
    /// <inheritdoc/>
    public override StepResult Apply(Model model, NoOptions options, StepContext context) => new(model);
}

/// <summary>Not sealed.</summary>
[Technique("test.open")]
public class Open : Technique<NoOptions>
{
    /// <inheritdoc/>
    public override StepResult Apply(Model model, NoOptions options, StepContext context) => new(model);
}

/// <summary>Has no public constructor without parameters.</summary>
[Technique("test.closed")]
public sealed class Closed : Technique<NoOptions>
{
    private Closed()
    {
    }

    /// <inheritdoc/>
    public override StepResult Apply(Model model, NoOptions options, StepContext context) => new(model);
}

/// <summary>Lacks the attribute.</summary>
public sealed class Nameless : Technique<NoOptions>
{
    /// <inheritdoc/>
    public override StepResult Apply(Model model, NoOptions options, StepContext context) => new(model);
}

/// <summary>Is no technique.</summary>
[Technique("test.none")]
public sealed class NoTechnique;
