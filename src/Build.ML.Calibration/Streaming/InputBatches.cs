using System.Collections.Immutable;
using Build.ML.Abstractions.Data;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Calibration.Streaming;

/// <summary>A data set as activations of a model's inputs.</summary>
internal static class InputBatches
{
    /// <summary>Reads all batches into a store.</summary>
    /// <returns>The inputs that get data, and the number of batches.</returns>
    /// <exception cref="DiagnosticException">BML5407: no data. BML5430: all that does not fit in the first batch with a misfit.</exception>
    public static (ImmutableArray<Value> Fed, int Batches) Read(Model model, DataSet data, int batchSize, ActivationStore store, CancellationToken cancellation)
    {
        if (data.Count == 0)
        {
            throw new DiagnosticException("BML5407", "The calibration data holds no sample, at least one is needed: a few hundred are usual. Check its limit and files.");
        }

        var required = model.Graph.Inputs.Where(i => i.Initializer is null).ToArray();
        Value[]? fed = null;
        var batches = 0;
        foreach (var batch in data.Batches(batchSize))
        {
            cancellation.ThrowIfCancellationRequested();
            fed ??= [.. batch.Inputs.Select(i => Find(model, required, i.Key)).OfType<Value>().Distinct()];
            Check(model, required, batch);
            foreach (var (name, tensor) in batch.Inputs)
            {
                store.Append(Find(model, required, name)!, tensor);
            }

            batches++;
        }

        return ([.. fed!], batches);
    }

    private static Value? Find(Model model, Value[] required, string name) =>
        name.Length == 0 ? required.FirstOrDefault() : model.Graph.Inputs.FirstOrDefault(i => i.Name == name);

    private static void Check(Model model, Value[] required, Batch batch)
    {
        var errors = new List<Diagnostic>();
        var fed = new HashSet<Value>();
        foreach (var (name, tensor) in batch.Inputs)
        {
            if (Find(model, required, name) is not { } input)
            {
                errors.Add(Misfit($"the model has no input '{name}', its inputs are {string.Join(", ", model.Graph.Inputs)}; correct the name in the data's options."));
            }
            else if (!fed.Add(input))
            {
                errors.Add(Misfit($"input '{input.Name}' is given twice; name each input once in the data's options."));
            }
            else if (!Fits(input.Type, tensor))
            {
                errors.Add(Misfit($"input '{input.Name}' takes {input.Type}, the data has {tensor}; change the data's options (layout, size, channels, type, limit)."));
            }
        }

        errors.AddRange(required.Where(i => !fed.Contains(i)).Select(i => Misfit($"input '{i}' gets nothing; name it in the data's options.")));
        if (errors.Count > 0)
        {
            throw new DiagnosticException(errors);
        }
    }

    private static Diagnostic Misfit(string what) => new("BML5430", "The calibration data does not fit the model: " + what);

    private static bool Fits(OnnxType? type, Tensor tensor)
    {
        if (type is not TensorType { ElementType: var element, Shape: var shape } || element != tensor.Type)
        {
            return type is null;
        }

        if (shape is null)
        {
            return true;
        }

        var fits = shape.Rank == tensor.Rank;
        for (var i = 0; fits && i < shape.Rank; i++)
        {
            fits = shape.Dimensions[i].Size is not { } size || size == tensor.Sizes[i];
        }

        return fits;
    }
}
