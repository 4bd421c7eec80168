using Build.ML.Graph;

namespace Build.ML.Abstractions.Techniques;

/// <summary>What the engine needs of a technique; derive from <see cref="Technique{TOptions}"/> instead of implementing it.</summary>
public interface ITechnique
{
    /// <summary>The options record, bound from <c>with:</c> of the recipe.</summary>
    Type OptionsType { get; }

    /// <summary>Transforms the model. The engine calls it with options of <see cref="OptionsType"/>.</summary>
    StepResult Apply(Model model, object options, StepContext context);
}
