using System.Collections.Immutable;
using Build.ML.Autodiff;
using Build.ML.Graph;
using Build.ML.Graph.Ir;

namespace Build.ML.Training;

/// <summary>What a loss is built from: values of the model in training, labels, and the same of teachers. All shapes are static.</summary>
public sealed class LossContext
{
    private readonly TrainingModelBuilder _builder;
    private readonly ImmutableArray<string> _inputs;
    private readonly ImmutableArray<string> _outputs;
    private readonly IReadOnlyList<TeacherGraph> _teachers;
    private readonly Dictionary<string, LabelInput> _labels = new(StringComparer.Ordinal);
    private readonly Dictionary<(int Teacher, string Name), Value> _taught = [];

    /// <summary>A context for the losses of one training model.</summary>
    /// <param name="builder">Of the model.</param>
    /// <param name="inputs">Names of the model's inputs, in order.</param>
    /// <param name="outputs">Names of the model's outputs, in order.</param>
    /// <param name="batchSize">Samples in a batch.</param>
    /// <param name="teachers">Teachers with the same batch size.</param>
    internal LossContext(TrainingModelBuilder builder, ImmutableArray<string> inputs, ImmutableArray<string> outputs, int batchSize, IReadOnlyList<TeacherGraph> teachers)
    {
        _builder = builder;
        _inputs = inputs;
        _outputs = outputs;
        _teachers = teachers;
        BatchSize = batchSize;
    }

    /// <summary>Emits nodes.</summary>
    public GraphOps Op => _builder.Ops;

    /// <summary>Samples in a batch.</summary>
    public int BatchSize { get; }

    /// <summary>Number of teachers.</summary>
    public int TeacherCount => _teachers.Count;

    /// <summary>Inputs that the labels fill, by name.</summary>
    internal IReadOnlyDictionary<string, LabelInput> LabelInputs => _labels;

    /// <summary>Inputs that teachers fill.</summary>
    internal IReadOnlyDictionary<(int Teacher, string Name), Value> Taught => _taught;

    /// <summary>An output of the model.</summary>
    /// <param name="name">Its name; null for the first.</param>
    /// <exception cref="Graph.Diagnostics.DiagnosticException">BML6050: there is none of that name.</exception>
    public Value Output(string? name = null) => _builder.Find(name is null ? _outputs[0] : _outputs.Contains(name) ? name : throw LossErrors.NoOutput(name, _outputs))!;

    /// <summary>Any value of the model, such as a hidden state.</summary>
    /// <param name="name">Its name.</param>
    /// <exception cref="Graph.Diagnostics.DiagnosticException">BML6051: there is none of that name.</exception>
    public Value Inner(string name) => _builder.Find(name) ?? throw LossErrors.NoValue(name, "the model");

    /// <summary>
    /// The scores that an output's probabilities are made of: the input of the operator that makes them, where the output is that operator's result, else the output itself. Logarithms
    /// of probabilities that were rounded to 0 are of no use.
    /// </summary>
    /// <param name="name">Name of the output; null for the first.</param>
    /// <param name="opTypes">Operators that make probabilities, such as <c>Softmax</c>.</param>
    public Value Logits(string? name, params ReadOnlySpan<string> opTypes) =>
        Output(name) is { Producer: { Domain: "" } producer } && opTypes.Contains(producer.OpType) ? producer.Inputs[0]! : Output(name);

    /// <summary>The inputs that data is fed to: those of the forward model.</summary>
    public IEnumerable<Value> Inputs => _inputs.Select(i => _builder.Find(i)).OfType<Value>();

    /// <summary>An input of the model.</summary>
    /// <param name="name">Its name.</param>
    /// <exception cref="Graph.Diagnostics.DiagnosticException">BML6051: there is none of that name.</exception>
    public Value Input(string name) => Inner(name) is { IsGraphInput: true } input ? input : throw LossErrors.NoValue(name, "the inputs of the model");

    /// <summary>Classes of the samples, int64: <c>Label.Class</c>, or where sizes say more than the batch <c>Label.Target</c>.</summary>
    /// <param name="classes">Number of classes: labels are 0 to that less one.</param>
    /// <param name="ignored">A label that is allowed besides; null for none.</param>
    /// <param name="sizes">Sizes of the labels of a batch; default [batch].</param>
    public Value ClassLabels(long classes, long? ignored = null, params ReadOnlySpan<long> sizes) => sizes.Length <= 1
        ? Labels($"class_{classes}", DataType.Int64, [BatchSize], (batch, buffer) => LabelWriters.Classes(batch, buffer, classes, ignored))
        : Labels($"class_{classes}_{string.Join('x', sizes.ToArray())}", DataType.Int64, sizes, (batch, buffer) => LabelWriters.ClassTargets(batch, buffer, classes, ignored));

    /// <summary>Targets of the samples, <c>Label.Target</c>; where a sample has one class and a target is one number, the class.</summary>
    /// <param name="sizes">Sizes of the targets of a batch, the batch first.</param>
    public Value Target(params ReadOnlySpan<long> sizes) =>
        Labels($"target_{string.Join('x', sizes.ToArray())}", DataType.Float, sizes, LabelWriters.Targets);

    /// <summary>An input filled from the labels of each batch in a way of the loss's own.</summary>
    /// <param name="name">Equal names are one input.</param>
    /// <param name="type">Element type.</param>
    /// <param name="sizes">Sizes.</param>
    /// <param name="fill">Fills it.</param>
    public Value Labels(string name, DataType type, ReadOnlySpan<long> sizes, LabelWriter fill)
    {
        if (!_labels.TryGetValue(name, out var label))
        {
            label = new(_builder.AddInput("label/" + name, type, sizes), fill);
            _labels.Add(name, label);
        }

        return label.Value;
    }

    /// <summary>A value of a teacher for the same batch. No gradient flows into it.</summary>
    /// <param name="name">Name of an output or an inner value of the teacher; null for its first output.</param>
    /// <param name="teacher">Which teacher, from 0.</param>
    /// <exception cref="Graph.Diagnostics.DiagnosticException">BML6052 there is no teacher, BML6051 it has no such value.</exception>
    public Value Teacher(string? name = null, int teacher = 0) => FromTeacher(TeacherOf(teacher).Output(name), teacher);

    /// <summary>As <see cref="Logits"/>, of a teacher.</summary>
    /// <param name="name">Name of an output or an inner value of the teacher; null for its first output.</param>
    /// <param name="teacher">Which teacher, from 0.</param>
    /// <param name="opTypes">Operators that make probabilities, such as <c>Softmax</c>.</param>
    public Value TeacherLogits(string? name, int teacher, params ReadOnlySpan<string> opTypes) => FromTeacher(TeacherOf(teacher).Logits(name, opTypes), teacher);

    private TeacherGraph TeacherOf(int teacher) => teacher < _teachers.Count ? _teachers[teacher] : throw LossErrors.NoTeacher(teacher, _teachers.Count);

    private Value FromTeacher(Value value, int teacher)
    {
        if (!_taught.TryGetValue((teacher, value.Name), out var input))
        {
            input = _builder.AddInput($"teacher{teacher}/{value.Name}", value.ElementType, value.Sizes().AsSpan());
            _taught.Add((teacher, value.Name), input);
        }

        return input;
    }

    /// <summary>An input that labels fill.</summary>
    /// <param name="Value">The input.</param>
    /// <param name="Fill">Fills it.</param>
    internal sealed record LabelInput(Value Value, LabelWriter Fill);
}
