using System.Collections.Immutable;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Training.Feed;

namespace Build.ML.Training;

/// <summary>Matches what the data feeds with a model's inputs.</summary>
internal static class BatchSizes
{
    /// <summary>Sizes of a model's inputs by name for a batch; the first input where the data does not name it.</summary>
    /// <exception cref="DiagnosticException">BML6056, all at once: the data feeds what the model does not take, or does not feed what it takes.</exception>
    public static ImmutableDictionary<string, ImmutableArray<long>> Of(Model model, FeedShape shape, int batchSize)
    {
        var errors = new List<Diagnostic>();
        var sizes = ImmutableDictionary.CreateBuilder<string, ImmutableArray<long>>(StringComparer.Ordinal);
        var inputs = model.Graph.Inputs.Where(i => i.Initializer is null).ToArray();
        foreach (var fed in shape.Inputs)
        {
            var input = fed.Name.Length == 0 ? inputs.FirstOrDefault() : inputs.FirstOrDefault(i => i.Name == fed.Name);
            ImmutableArray<long> batch = fed.IsWhole ? fed.Sizes : [batchSize, .. fed.Sizes];
            if (input is null)
            {
                errors.Add(Unfit($"feeds '{fed.Name}', which the model does not take; its inputs are {string.Join(", ", inputs.Select(i => $"'{i.Name}'"))}"));
            }
            else if (input.Type is not TensorType declared || declared.ElementType != fed.Type || !Fits(declared.Shape, batch))
            {
                errors.Add(Unfit($"feeds '{input.Name}' as {fed.Type.OnnxName()}[{string.Join(',', batch)}], the model takes {input.Type}"));
            }
            else
            {
                sizes[input.Name] = batch;
            }
        }

        foreach (var input in inputs.Where(i => !i.IsUnused && !sizes.ContainsKey(i.Name) && shape.Inputs.All(f => f.Name != i.Name && f.Name.Length > 0)))
        {
            errors.Add(Unfit($"does not feed '{input.Name}' ({input.Type}), which the model takes"));
        }

        return errors.Count == 0 ? sizes.ToImmutable() : throw new DiagnosticException(errors);
    }

    /// <summary>The model's name of an input of the data.</summary>
    public static string NameOf(string fed, Model model) => fed.Length > 0 ? fed : model.Graph.Inputs.First(i => i.Initializer is null).Name;

    private static Diagnostic Unfit(string what) =>
        new("BML6056", $"The training data {what}. Change the data reader's options: input names, layout, size, channels, type.");

    private static bool Fits(Shape? shape, ImmutableArray<long> sizes)
    {
        if (shape is null)
        {
            return true;
        }

        for (var i = 0; i < shape.Rank && shape.Rank == sizes.Length; i++)
        {
            // A batch dimension that an exporter wrote down as 1 may be any.
            if (shape.Dimensions[i].Size is { } size && size != sizes[i] && i > 0)
            {
                return false;
            }
        }

        return shape.Rank == sizes.Length;
    }
}
