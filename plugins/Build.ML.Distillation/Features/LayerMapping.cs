using System.Collections.Immutable;
using Build.ML.Abstractions.Selection;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Training;

namespace Build.ML.Distillation.Features;

/// <summary>Which value of the student follows which of the teacher.</summary>
internal static class LayerMapping
{
    /// <summary>The student's value m of M with the teacher's value m·T/M of T, counted from 1: its last follows the teacher's last (Jiao et al. 2020, TinyBERT).</summary>
    /// <param name="student">The student.</param>
    /// <param name="teacher">The teacher.</param>
    /// <param name="studentPattern">Glob over the student's values.</param>
    /// <param name="teacherPattern">Glob over the teacher's.</param>
    /// <exception cref="DiagnosticException">BML8230: a glob fits nothing, or more values of the student than of the teacher.</exception>
    public static ImmutableArray<ValuePair> Uniform(Model student, Model teacher, string studentPattern, string teacherPattern)
    {
        var (students, teachers) = (Fitting(student, studentPattern), Fitting(teacher, teacherPattern));
        if (students.Length == 0 || teachers.Length == 0)
        {
            var (pattern, model) = students.Length == 0 ? (studentPattern, "student") : (teacherPattern, "teacher");
            throw new DiagnosticException(
                "BML8230", $"'{pattern}' fits no value that a node of the {model} yields. Its values are named such as "
                + string.Join(", ", (students.Length == 0 ? student : teacher).Graph.Nodes.Select(n => $"'{n.Outputs[0].Name}'").Take(3)) + ".");
        }

        if (students.Length > teachers.Length)
        {
            throw new DiagnosticException(
                "BML8230", $"'{studentPattern}' fits {students.Length} values of the student, '{teacherPattern}' only {teachers.Length} of the teacher; a student has as many layers as its teacher or fewer.");
        }

        return [.. students.Select((s, m) => new ValuePair { Student = s, Teacher = teachers[((m + 1) * teachers.Length / students.Length) - 1] })];
    }

    /// <summary>Throws when a named value does not exist.</summary>
    /// <exception cref="DiagnosticException">BML8231, one for each name.</exception>
    public static void Check(Model student, Model teacher, ImmutableArray<ValuePair> pairs)
    {
        var errors = pairs.SelectMany(p => new[] { Missing(student, p.Student, "student"), Missing(teacher, p.Teacher ?? p.Student, "teacher") }).OfType<Diagnostic>().ToArray();
        if (errors.Length > 0)
        {
            throw new DiagnosticException(errors);
        }
    }

    private static Diagnostic? Missing(Model model, string name, string role) =>
        model.Graph.Find(name) is not null ? null : new("BML8231", $"The {role} has no value '{name}'. `buildml inspect` lists them.");

    private static string[] Fitting(Model model, string pattern)
    {
        var glob = new NamePattern(pattern);
        return [.. model.Graph.Nodes.SelectMany(n => n.Outputs).Select(o => o.Name).Where(n => n.Length > 0 && glob.Matches(n))];
    }
}
