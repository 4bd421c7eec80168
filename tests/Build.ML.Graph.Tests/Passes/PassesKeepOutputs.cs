using System.Collections.Immutable;
using Build.ML.Abstractions.Inference;
using Build.ML.Graph.Catalogs;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Passes;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;

namespace Build.ML.Graph.Tests.Passes;

/// <summary>ONNX Runtime, its own optimizations off, gives the same outputs before and after each pass, on all conformance models it can run.</summary>
public sealed class PassesKeepOutputs
{
    /// <summary>Passes that compute with weights round differently: a few units in the last place of float (2⁻²³), through one or two layers.</summary>
    private const double Rounding = 2e-6;

    /// <summary>How many cases each pass finds something in, at least; a pass that is not here has tests of its own.</summary>
    private static readonly Dictionary<string, int> Least = new(StringComparer.Ordinal)
    {
        ["constants-to-initializers"] = 101,
        ["eliminate-common-subexpressions"] = 26,
        ["fold-constants"] = 72,
        ["merge-duplicate-initializers"] = 5,
        ["remove-dead-nodes"] = 10,
        ["remove-identity"] = 69,
        ["remove-unused-initializers"] = 9,
        ["upgrade-opset"] = 966,
    };

    public static TheoryData<string> PassNames() => [.. Catalog<IGraphPass>.Scan(typeof(IGraphPass).Assembly).Names];

    [SkippableTheory]
    [MemberData(nameof(PassNames))]
    public void Outputs_are_the_same_before_and_after(string name)
    {
        var entry = Catalog<IGraphPass>.Scan(typeof(IGraphPass).Assembly).Find(name)!;
        CheckOnAllModels(name, model => entry.Create().Run(model), Least.GetValueOrDefault(name));
    }

    [SkippableFact]
    public void Outputs_are_the_same_after_an_upgrade_and_all_default_passes() => CheckOnAllModels(
        "all", model => new UpgradeOpset().Run(model) + PassPipeline.Of().Run(model).Sum(c => c.Value), 960);

    private static void CheckOnAllModels(string name, Func<Model, int> transform, int least)
    {
        var (different, changed, refused) = (new List<string>(), 0, 0);
        foreach (var path in OnnxTestData.AllModels())
        {
            var @case = Path.GetFileName(Path.GetDirectoryName(path));
            using var model = Model.Open(path);
            if (TensorFiles.Feeds(model, Path.Combine(Path.GetDirectoryName(path)!, "test_data_set_0")) is not { } all)
            {
                continue;
            }

            // All inputs but the first become constants, as weights and sizes are in real models.
            var feeds = BindAllButFirst(model, all);
            using var original = model.Clone();
            try
            {
                if (transform(model) == 0)
                {
                    continue;
                }
            }
            catch (DiagnosticException e) when (e.Diagnostics.All(d => d.Code == "BML2120"))
            {
                refused++;
                continue;
            }

            if (Run(original, feeds) is not { } before)
            {
                continue; // no kernel, or random
            }

            changed++;
            var after = Run(model, feeds);
            for (var i = 0; i < before.Length; i++)
            {
                var difference = after is { } outputs ? TensorComparison.Difference(before[i], outputs[i], Rounding) : "refused by ONNX Runtime";
                if (difference is not null)
                {
                    different.Add($"{@case}: {difference}");
                }
            }
        }

        Assert.True(different.Count == 0, $"{changed} changed, {refused} refused\n" + string.Join('\n', different));
        Assert.True(changed >= least, $"{name} changed {changed} and refused {refused}");
    }

    private static ImmutableArray<KeyValuePair<string, Tensor>> BindAllButFirst(Model model, ImmutableArray<KeyValuePair<string, Tensor>> feeds)
    {
        foreach (var (name, tensor) in feeds.Skip(1))
        {
            var input = model.Graph.Find(name)!;
            model.Graph.SetInitializer(input, tensor);
            model.Graph.RemoveInput(input);
        }

        model.IrVersion = Math.Max(model.IrVersion, 4);
        return [.. feeds.Take(1)];
    }

    internal static ImmutableArray<Tensor>? Run(
        Model model, ImmutableArray<KeyValuePair<string, Tensor>> feeds, bool evenRandom = false)
    {
        if (!evenRandom && model.AllNodes.Any(n => n.OpType is "Bernoulli" or "Dropout" or "RandomNormal" or "RandomUniform"))
        {
            return null;
        }

        try
        {
            using var session = new OnnxRuntimeInference().Open(model, new InferenceOptions { Optimize = false });
            return session.Run(feeds);
        }
        catch (DiagnosticException)
        {
            return null;
        }
    }
}
