using System.Collections.Immutable;
using Build.ML.Abstractions.Inference;
using Build.ML.Graph;
using Build.ML.Graph.Coupling;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;

namespace Build.ML.TestSupport;

/// <summary>What became of a model when half of every axis was removed.</summary>
/// <param name="Axes">All axes.</param>
/// <param name="Free">Those that are not locked.</param>
/// <param name="Compared">Those whose removal could be compared exactly.</param>
/// <param name="Failures">What went wrong, one sentence each.</param>
public sealed record StructuralEditResult(int Axes, int Free, int Compared, IReadOnlyList<string> Failures);

/// <summary>
/// Removes half of the positions of a model's free axes and asks: does the result validate, does ONNX Runtime run it, have the outputs their shapes, and
/// where what reads the removed positions was zero before, are the outputs the same?
/// </summary>
static class StructuralEdit
{
    /// <summary>A constant of this prefix reads the value that it weighs: zero at removed positions, it makes the removal exact.</summary>
    public const string Probe = "probe_";

    private static readonly OnnxRuntimeInference Runtime = new();

    /// <summary>Edits copies of a model.</summary>
    /// <param name="model">Not changed.</param>
    /// <param name="feeds">What it is run with.</param>
    /// <param name="tolerance">Largest difference over 1 + the largest element of an output.</param>
    /// <param name="each">Whether to edit axis by axis too, not only all at once.</param>
    public static StructuralEditResult Check(Model model, ImmutableArray<KeyValuePair<string, Tensor>> feeds, double tolerance, bool each = false)
    {
        var coupling = ChannelCoupling.Analyze(model);
        var free = Indices(coupling, a => a.Lock is null);
        var exact = Indices(coupling, a => a.Lock is null && IsExact(a));
        var failures = new List<string>();
        if (free.Length > 0 && !model.Validate().Any(d => d.Severity == Severity.Error))
        {
            if (TryRun(model, feeds) is not { } original)
            {
                return new(coupling.Axes.Count, free.Length, 0, []); // no kernel, whatever is done
            }

            Try("all", free, compare: false);
            if (exact.Length > 0)
            {
                Try("all at once", exact, compare: true);
            }

            foreach (var axis in each ? free : [])
            {
                Try(coupling.Axes[axis].Name, [axis], compare: exact.Contains(axis));
            }

            void Try(string what, int[] axes, bool compare)
            {
                try
                {
                    if (Edit(model, axes, feeds, original, compare ? tolerance : null) is { } failure)
                    {
                        failures.Add($"{what}: {failure}");
                    }
                }
                catch (DiagnosticException e)
                {
                    failures.Add($"{what}: {e.Message.ReplaceLineEndings(" ")[..Math.Min(600, e.Message.Length)]}");
                }
            }
        }

        return new(coupling.Axes.Count, free.Length, exact.Length, failures);
    }

    /// <summary>Something to feed any model: noise, or small integers; unknown sizes are 64 for images and 8 for texts, batches 1.</summary>
    public static ImmutableArray<KeyValuePair<string, Tensor>> Feeds(Model model)
    {
        ArgumentNullException.ThrowIfNull(model);
        var feeds = ImmutableArray.CreateBuilder<KeyValuePair<string, Tensor>>();
        foreach (var input in model.Graph.Inputs.Where(i => i.Initializer is null))
        {
            var dimensions = input.Shape?.Dimensions ?? [];
            long[] sizes = [.. dimensions.Select((d, i) => d.Size ?? (i == 0 ? 1 : dimensions.Length == 4 ? 64 : 8))];
            var count = (int)sizes.Aggregate(1L, (a, b) => a * b);
            feeds.Add(new(input.Name, input.ElementType switch
            {
                DataType.Int64 => Tensor.Of([.. Enumerable.Range(0, count).Select(i => input.Name.Contains("mask", StringComparison.Ordinal) ? 1L : (i * 7 + i / 5) % 11)], sizes),
                DataType.Int32 => Tensor.Of([.. Enumerable.Range(0, count).Select(i => input.Name.Contains("mask", StringComparison.Ordinal) ? 1 : (i * 7 + i / 5) % 11)], sizes),
                _ => Tensor.Of([.. Enumerable.Range(0, count).Select(i => MathF.Sin(1 + i * 0.37f + i / 7))], sizes),
            }));
        }

        return feeds.ToImmutable();
    }

    /// <summary>Of an axis, the positions that are removed: about half, never all, by no pattern that a wrong rule would survive.</summary>
    public static int[] Half(ChannelAxis axis)
    {
        ArgumentNullException.ThrowIfNull(axis);
        var random = new Random(axis.Name.Aggregate(axis.Size, (hash, c) => unchecked(hash * 31 + c))); // others for each axis, the same in each run
        var positions = Enumerable.Range(0, axis.Size).ToArray();
        random.Shuffle(positions);
        return positions[..Math.Max(1, axis.Size / 2)];
    }

    /// <summary>Sums over it are by constants that can be set to zero, or of the axis' own zeros.</summary>
    private static bool IsExact(ChannelAxis axis) => axis.NormalizedBy is null
        && (axis.SummedBy is null || axis.SummedBy.Name.StartsWith(Probe, StringComparison.Ordinal) || axis.SummedBy.OpType is "MatMul" or "ReduceSum" or "Gemm");

    private static int[] Indices(ChannelCoupling coupling, Func<ChannelAxis, bool> where) =>
        [.. Enumerable.Range(0, coupling.Axes.Count).Where(i => where(coupling.Axes[i]))];

    private static string? Edit(
        Model model, int[] axes, ImmutableArray<KeyValuePair<string, Tensor>> feeds, ImmutableArray<Tensor> original, double? tolerance)
    {
        using var edited = model.Clone();
        var coupling = ChannelCoupling.Analyze(edited);
        var expected = original;
        if (tolerance is not null)
        {
            foreach (var axis in axes)
            {
                Zero(coupling.Axes[axis]);
            }

            expected = TryRun(edited, feeds) ?? throw new InvalidOperationException("the model with zeros does not run");
            coupling = ChannelCoupling.Analyze(edited);
        }

        coupling.Remove(axes.ToDictionary(a => coupling.Axes[a], a => (IReadOnlyList<int>)Half(coupling.Axes[a])));
        if (edited.Validate().FirstOrDefault(d => d.Severity == Severity.Error) is { } violation)
        {
            return violation.ToString();
        }

        using var session = Runtime.Open(edited, new InferenceOptions { Optimize = false });
        var outputs = session.Run(feeds);
        for (var i = 0; i < outputs.Length; i++)
        {
            if (!outputs[i].Sizes.AsSpan().SequenceEqual(original[i].Sizes.AsSpan()))
            {
                return $"output {i} is {outputs[i]} instead of {original[i]}";
            }

            if (tolerance is { } most && Difference(expected[i], outputs[i]) is var difference && !(difference <= most))
            {
                return $"output {i} differs by {difference:g3}";
            }
        }

        return null;
    }

    private static double Difference(Tensor expected, Tensor actual)
    {
        if (expected.Type != DataType.Float || expected.ToArray<float>().Any(v => !float.IsFinite(v)))
        {
            return 0; // zero times infinity says nothing
        }

        var (a, b) = (expected.ToArray<float>(), actual.ToArray<float>());
        double largest = 0, scale = 0;
        for (var i = 0; i < a.Length; i++)
        {
            scale = Math.Max(scale, Math.Abs((double)a[i]));
            largest = float.IsFinite(b[i]) ? Math.Max(largest, Math.Abs((double)a[i] - b[i])) : double.PositiveInfinity;
        }

        return largest / (1 + scale);
    }

    /// <summary>What reads the positions to be removed becomes zero; where activations are summed with each other, what makes them too.</summary>
    private static void Zero(ChannelAxis axis)
    {
        var sums = axis.SummedBy is { } node && !node.Name.StartsWith(Probe, StringComparison.Ordinal);
        foreach (var place in axis.Places)
        {
            if (place.Constant.Constant is { Type: DataType.Float } tensor
                && (sums || place.Role == AxisRole.Input || place.Constant.Name.StartsWith(Probe, StringComparison.Ordinal)))
            {
                Zero(axis, place, tensor);
            }
        }
    }

    private static void Zero(ChannelAxis axis, AxisPlace place, Tensor tensor)
    {
        var values = tensor.ToArray<float>();
        long inner = 1;
        for (var i = place.Dimension + 1; i < tensor.Rank; i++)
        {
            inner *= tensor.Sizes[i];
        }

        foreach (var position in Half(axis))
        {
            foreach (var run in place.Positions(position))
            {
                for (long outer = 0; outer < tensor.Count / inner / tensor.Sizes[place.Dimension]; outer++)
                {
                    values.AsSpan((int)((outer * tensor.Sizes[place.Dimension] + run.Start) * inner), (int)(run.Count * inner)).Clear();
                }
            }
        }

        var zeroed = Tensor.Of(values, tensor.Sizes.AsSpan());
        if (place.Constant.Initializer is not null)
        {
            place.Constant.Graph.SetInitializer(place.Constant, zeroed);
        }
        else
        {
            place.Constant.Producer!.SetAttribute(NodeAttribute.Tensor("value", zeroed));
        }
    }

    private static ImmutableArray<Tensor>? TryRun(Model model, ImmutableArray<KeyValuePair<string, Tensor>> feeds)
    {
        try
        {
            using var session = Runtime.Open(model, new InferenceOptions { Optimize = false });
            return session.Run(feeds);
        }
        catch (DiagnosticException)
        {
            return null;
        }
    }
}
