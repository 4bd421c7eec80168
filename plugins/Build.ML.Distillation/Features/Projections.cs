using System.Collections.Immutable;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Passes;
using Build.ML.Graph.Shapes;
using Build.ML.Graph.Tensors;
using Build.ML.Training;
using Build.ML.Training.Random;

namespace Build.ML.Distillation.Features;

/// <summary>
/// Learned maps from the student's widths to the teacher's, in the student's graph while it is trained: a matrix along the last axis, of images a 1×1 convolution. Disposing takes them out again.
/// </summary>
internal sealed class Projections : IDisposable
{
    private readonly Model _student;
    private readonly int _outputs;
    private readonly ImmutableHashSet<int> _projected;

    private Projections(Model student, ImmutableArray<ValuePair> pairs, int outputs, ImmutableHashSet<int> projected) =>
        (_student, Pairs, _outputs, _projected) = (student, pairs, outputs, projected);

    /// <summary>The pairs, the student's value replaced by its projection where there is one.</summary>
    public ImmutableArray<ValuePair> Pairs { get; }

    /// <summary>Whether a pair is matched through a projection.</summary>
    public bool IsProjected(int pair) => _projected.Contains(pair);

    /// <summary>Adds a projection for each pair of different widths, drawn as linear layers commonly start: uniform of variance 1/(3·width).</summary>
    /// <param name="student">Changed until this is disposed.</param>
    /// <param name="teacher">Not changed.</param>
    /// <param name="pairs">Values to match.</param>
    /// <param name="seed">Decides the start.</param>
    /// <exception cref="DiagnosticException">BML8232: shapes that no projection along one axis makes equal, or that are not known.</exception>
    public static Projections Insert(Model student, Model teacher, ImmutableArray<ValuePair> pairs, long seed)
    {
        var (ofStudent, ofTeacher) = (ShapeInference.Infer(student).Types, ShapeInference.Infer(teacher).Types);
        var (matched, projected, outputs) = (pairs.ToBuilder(), ImmutableHashSet.CreateBuilder<int>(), student.Graph.Outputs.Count);
        for (var i = 0; i < pairs.Length; i++)
        {
            var (own, target) = (student.Graph.Find(pairs[i].Student)!, teacher.Graph.Find(pairs[i].Teacher ?? pairs[i].Student)!);
            var (from, to) = (ShapeOf(own, ofStudent), ShapeOf(target, ofTeacher));
            if (from is null || to is null || from.Rank != to.Rank || from.Rank < 2)
            {
                throw new DiagnosticException("BML8232", $"'{own.Name}' of the student is {from?.ToString() ?? "of unknown shape"}, '{target.Name}' of the teacher {to?.ToString() ?? "of unknown shape"}: they cannot be matched.");
            }

            var axis = from.Rank == 4 ? 1 : from.Rank - 1;
            if (from[axis] == to[axis])
            {
                continue;
            }

            if (from[axis].Size is not { } width || to[axis].Size is not { } goal)
            {
                throw new DiagnosticException("BML8232", $"Axis {axis} of '{own.Name}' {from} or of '{target.Name}' {to} is not of a fixed size: no projection can be learned between them.");
            }

            var value = Project(student.Graph, own, width, goal, from.Rank == 4, new CounterRandom(seed, i));
            student.Graph.AddOutput(value);
            matched[i] = pairs[i] with { Student = value.Name, Teacher = target.Name };
            projected.Add(i);
        }

        return new Projections(student, matched.ToImmutable(), outputs, projected.ToImmutable());
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        while (_student.Graph.Outputs.Count > _outputs)
        {
            _student.Graph.RemoveOutput(_student.Graph.Outputs.Count - 1);
        }

        new RemoveDeadNodes().Run(_student);
        new RemoveUnusedInitializers().Run(_student);
    }

    private static Value Project(OnnxGraph graph, Value own, long width, long goal, bool image, CounterRandom random)
    {
        var weight = new float[width * goal];
        var bound = 1 / MathF.Sqrt(width);
        random.FillUniform(weight, -bound, bound);
        var name = own.Name + ".projection";
        return image
            ? graph.Add("Conv", [own, graph.AddInitializer(name, Tensor.Of(weight, goal, width, 1, 1))], own.Name + ".projected", [NodeAttribute.Ints("kernel_shape", 1, 1)])
            : graph.Add("MatMul", [own, graph.AddInitializer(name, Tensor.Of(weight, width, goal))], own.Name + ".projected");
    }

    private static Shape? ShapeOf(Value value, IReadOnlyDictionary<Value, OnnxType> types) => (types.GetValueOrDefault(value) as TensorType)?.Shape ?? value.Shape;
}
