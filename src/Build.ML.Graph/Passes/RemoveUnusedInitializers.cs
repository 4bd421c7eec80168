namespace Build.ML.Graph.Passes;

/// <summary>Removes initializers that nothing reads; one that is also a graph input stays, being part of the interface.</summary>
[GraphPass("remove-unused-initializers", Order = 510)]
public sealed class RemoveUnusedInitializers : IGraphPass
{
    /// <inheritdoc/>
    public int Run(Model model)
    {
        ArgumentNullException.ThrowIfNull(model);
        var removed = 0;
        foreach (var graph in model.Graphs())
        {
            foreach (var value in graph.Initializers.Where(v => v is { IsUnused: true, IsGraphInput: false }).ToArray())
            {
                graph.SetInitializer(value, null);
                removed++;
            }

            for (var i = graph.SparseInitializers.Count - 1; i >= 0; i--)
            {
                if (graph.SparseInitializers[i].Key is { IsUnused: true, IsGraphInput: false })
                {
                    graph.SparseInitializers.RemoveAt(i);
                    removed++;
                }
            }
        }

        return removed;
    }
}
