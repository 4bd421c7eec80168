namespace Build.ML.Graph.Passes;

/// <summary>
/// In files of IR version 3 every initializer had to be listed as an input too, which since version 4 means that callers may override it, and keeps
/// runtimes from treating it as a constant. Takes such initializers out of the inputs and raises the IR version to 4. Newer files say what they mean and
/// are left.
/// </summary>
[GraphPass("remove-initializer-inputs", Order = 100)]
public sealed class RemoveInitializerInputs : IGraphPass
{
    /// <inheritdoc/>
    public int Run(Model model)
    {
        ArgumentNullException.ThrowIfNull(model);
        if (model.IrVersion >= 4)
        {
            return 0;
        }

        var inputs = model.Graph.Inputs.Where(i => i.Initializer is not null).ToArray();
        foreach (var input in inputs)
        {
            model.Graph.RemoveInput(input);
        }

        if (inputs.Length > 0)
        {
            model.IrVersion = 4;
        }

        return inputs.Length;
    }
}
