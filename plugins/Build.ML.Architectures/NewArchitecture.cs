using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.Architectures;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;

namespace Build.ML.Architectures;

/// <summary>
/// Starts a network of its own within a recipe, with initial weights from the step's seed: the student of a distillation, beside the model it learns from. The model of the step before is not
/// looked at.
/// </summary>
[Technique("architect.new")]
[Description("Builds a network with initial weights, such as a student to distil into.")]
public sealed class NewArchitecture : Technique<NewArchitecture.Options>
{
    /// <summary>Options of <c>architect.new</c>.</summary>
    public sealed record Options
    {
        /// <summary>The network: <c>{ use: mobilenet-v2, width: 0.25, … }</c>.</summary>
        [Required] public required Architecture Architecture { get; init; }
    }

    /// <inheritdoc/>
    public override StepResult Apply(Model model, Options options, StepContext context)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(context);
        return new StepResult(options.Architecture.Build(context.Seed));
    }
}
