using System.Collections.Immutable;
using Build.ML.Abstractions.Architectures;
using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Catalogs;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Engine.Tests;

/// <summary>A kind of component: what is done to one weight.</summary>
public abstract record WeightChange
{
    public abstract float Of(float weight, StepContext context);
}

public sealed class WeightChangeAttribute(string name) : CatalogAttribute(name)
{
    public override Type EntryType => typeof(WeightChange);
}

[WeightChange("add")]
public sealed record Addition : WeightChange
{
    public double Amount { get; init; } = 1;

    public override float Of(float weight, StepContext context) => weight + (float)Amount;
}

/// <summary>Adds the first weight of other models, the first number of data and the length of a file.</summary>
[WeightChange("borrow")]
public sealed record Borrowing : WeightChange
{
    public ImmutableArray<ModelReference> From { get; init; } = [];

    public DataReference? Data { get; init; }

    public FileReference? File { get; init; }

    public override float Of(float weight, StepContext context)
    {
        foreach (var name in From)
        {
            using var model = context.Model(name);
            weight += model.Graph.Initializers[0].Initializer!.ToArray<float>()[0];
        }

        if (Data is { } data)
        {
            weight += context.Data(data)[0].Inputs[0].Value.ToArray<float>()[0];
        }

        return File is { Path: var path } ? weight + new FileInfo(path).Length : weight;
    }
}

/// <summary>Changes all weights by components.</summary>
[Technique("test.change")]
public sealed class ChangeWeights : Technique<ChangeWeights.Options>
{
    public sealed record Options
    {
        public WeightChange By { get; init; } = new Addition();

        public ImmutableArray<WeightChange> Then { get; init; } = [];

        public WeightChange? Last { get; init; }
    }

    public override StepResult Apply(Model model, Options options, StepContext context)
    {
        IEnumerable<WeightChange> changes = [options.By, .. options.Then, .. options.Last is { } last ? new[] { last } : []];
        foreach (var change in changes)
        {
            Weights.Edit(model, w => change.Of(w, context));
        }

        return new(model);
    }
}

/// <summary>y = x · W, W 4×2 of seed + start, seed + start + 1, …</summary>
[Architecture("test-linear")]
public sealed record LinearNetwork : Architecture
{
    public int Start { get; init; }

    public FileReference? Note { get; init; }

    public override Model Build(long seed)
    {
        if (Start == 13)
        {
            throw new DiagnosticException("TST0013", "13 brings bad luck");
        }

        var model = Workspace.Linear();
        var next = seed + Start + (Note is { Path: var path } ? new FileInfo(path).Length : 0);
        Weights.Edit(model, _ => next++);
        return model;
    }
}
