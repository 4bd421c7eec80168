using System.Collections.Immutable;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Passes;
using Build.ML.Graph.Shapes;

namespace Build.ML.Training;

/// <summary>A teacher with the sizes of a batch bound, so that the sizes of all its values are known.</summary>
internal sealed class TeacherGraph : IDisposable
{
    private readonly ImmutableArray<string> _outputs;

    /// <summary>Binds sizes.</summary>
    /// <param name="teacher">Not changed; its weights are shared.</param>
    /// <param name="inputSizes">Sizes of its inputs by name.</param>
    public TeacherGraph(Model teacher, IReadOnlyDictionary<string, ImmutableArray<long>> inputSizes)
    {
        Model = teacher.Clone();
        new RemoveInitializerInputs().Run(Model);
        foreach (var input in Model.Graph.Inputs)
        {
            if (inputSizes.TryGetValue(input.Name, out var sizes))
            {
                input.Type = new TensorType(input.ElementType, Shape.Of(sizes.AsSpan()));
            }
        }

        PassPipeline.Of(["constants-to-initializers", "fold-constants", "remove-dead-nodes"]).Run(Model);
        ShapeInference.Refresh(Model);
        _outputs = [.. Model.Graph.Outputs.Select(o => o.Name)];
    }

    /// <summary>The model with static sizes.</summary>
    public Model Model { get; }

    /// <summary>An output or inner value.</summary>
    /// <param name="name">Its name; null for the first output.</param>
    public Value Output(string? name) => Model.Graph.Find(name ?? _outputs[0]) ?? throw LossErrors.NoValue(name!, "the teacher");

    /// <summary>As <see cref="Output"/>, or what an operator makes probabilities of.</summary>
    public Value Logits(string? name, ReadOnlySpan<string> opTypes) =>
        Output(name) is { Producer: { Domain: "" } producer } && opTypes.Contains(producer.OpType) ? producer.Inputs[0]! : Output(name);

    /// <summary>Lets the model return exactly these values.</summary>
    public void Return(IEnumerable<string> names)
    {
        while (Model.Graph.Outputs.Count > 0)
        {
            Model.Graph.RemoveOutput(Model.Graph.Outputs.Count - 1);
        }

        foreach (var name in names)
        {
            var value = Model.Graph.Find(name)!;
            if (value.ElementType != DataType.Float)
            {
                throw new DiagnosticException("BML6053", $"'{name}' of the teacher is {value.Type}; losses compare float values. Name another one.");
            }

            Model.Graph.AddOutput(value);
        }

        new RemoveDeadNodes().Run(Model);
        new RemoveUnusedInitializers().Run(Model);
        foreach (var input in Model.Graph.Inputs.Where(i => i.IsUnused).ToArray())
        {
            Model.Graph.RemoveInput(input);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Model.Dispose();
}
