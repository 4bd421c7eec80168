using System.Collections.Immutable;
using Build.ML.Autodiff;
using Build.ML.Graph.Ir;

namespace Build.ML.Training;

/// <summary>A loss that compares values of the model with values of the teacher, pair by pair, and is the mean over the pairs.</summary>
public abstract record PairLoss : Loss
{
    /// <summary>The values to compare. Default: the model's output with the teacher's.</summary>
    public ImmutableArray<ValuePair> Pairs { get; init; } = [];

    /// <summary>Which teacher, from 0. Default 0.</summary>
    [System.ComponentModel.DataAnnotations.Range(0, 100)]
    public int Teacher { get; init; }

    /// <summary>Name of the loss, for messages.</summary>
    private protected abstract string Name { get; }

    /// <inheritdoc/>
    public sealed override Value Build(LossContext context)
    {
        Value? sum = null;
        foreach (var pair in Pairs.Length == 0 ? [null] : Pairs.AsEnumerable<ValuePair?>())
        {
            var student = pair is null ? context.Output(Output) : context.Inner(pair.Student);
            var teacher = context.Teacher(pair?.Teacher ?? pair?.Student, Teacher);
            if (!teacher.Sizes().AsSpan().SequenceEqual(student.Sizes().AsSpan()))
            {
                throw LossErrors.Differ(Name, student, teacher);
            }

            var distance = Distance(context.Op, student, teacher);
            sum = sum is null ? distance : context.Op.Add(sum, distance);
        }

        return context.Op.Div(sum!, Math.Max(1, Pairs.Length));
    }

    /// <summary>The scalar distance of two values of equal sizes.</summary>
    private protected abstract Value Distance(GraphOps op, Value student, Value teacher);
}
