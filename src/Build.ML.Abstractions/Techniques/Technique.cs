using Build.ML.Graph;

namespace Build.ML.Abstractions.Techniques;

/// <summary>
/// One named transformation or training procedure. A sealed class with <see cref="TechniqueAttribute"/> in a plugin assembly is all it takes to
/// add one.
/// </summary>
/// <typeparam name="TOptions">
/// An immutable record; its public properties are the keys of <c>with:</c> in snake_case, their defaults the defaults, their data annotations
/// (<c>[Range]</c>, <c>[Required]</c>, …) and <c>IValidatableObject</c> the checks, their XML documentation the schema's descriptions.
/// </typeparam>
public abstract class Technique<TOptions> : ITechnique
    where TOptions : class
{
    /// <inheritdoc/>
    public Type OptionsType => typeof(TOptions);

    /// <summary>Transforms the model.</summary>
    /// <param name="model">The step's own copy: may be edited in place and returned.</param>
    /// <param name="options">Validated options.</param>
    /// <param name="context">Data, inference, seed, progress, cancellation.</param>
    /// <exception cref="Graph.Diagnostics.DiagnosticException">The model or data do not fit the technique.</exception>
    public abstract StepResult Apply(Model model, TOptions options, StepContext context);

    /// <inheritdoc/>
    StepResult ITechnique.Apply(Model model, object options, StepContext context) => Apply(model, (TOptions)options, context);
}
