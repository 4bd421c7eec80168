using Build.ML.Abstractions.Inference;
using Build.ML.Autodiff.Tests.Cases;
using Build.ML.Graph;
using Build.ML.Graph.Catalogs;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;

namespace Build.ML.Autodiff.Tests;

/// <summary>
/// Every rule against central differences of ONNX Runtime's own forward pass. The loss is Σ r·y with random r; differences with steps h and 2h are combined to
/// (4·d(h) − d(2h))/3, whose error falls with h⁴, so that a step large enough to drown float rounding serves. Where kernels of the runtime serve too, they are checked the same way.
/// </summary>
public sealed class GradientTests
{
    static readonly Catalog<GradientCaseTable> Tables = Catalog<GradientCaseTable>.Scan(typeof(GradientTests).Assembly);
    static readonly OnnxRuntimeInference Inference = new();

    public static TheoryData<string, string, string> Cases()
    {
        var rows = new TheoryData<string, string, string>();
        foreach (var (domain, opType, name, _) in Tables.SelectMany(t => t.Create().Cases))
            rows.Add(domain, opType, name);
        return rows;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_gradient_is_what_differences_say(string domain, string opType, string name)
    {
        var make = Tables.SelectMany(t => t.Create().Cases).Single(c => c.Domain == domain && c.OpType == opType && c.Name == name).Make;
        for (var seed = 0; seed < 3; seed++)
            foreach (var kernels in new[] { false, true })
                Check(domain, opType, make(new CaseRandom(seed)), seed, kernels);
    }

    [Fact]
    public void Every_operator_with_a_gradient_has_cases()
    {
        // Fake quantization differs from its gradient on purpose: StraightThroughTests.
        (string, string)[] elsewhere = [("", "QuantizeLinear"), ("", "DequantizeLinear")];
        var covered = Tables.SelectMany(t => t.Create().Cases).Select(c => (c.Domain, c.OpType)).Concat(elsewhere).ToHashSet();
        Assert.Equal("", string.Join(", ", GradientRuleSet.BuiltIn.Operators.Where(o => o.Domain != GraphOps.KernelDomain && !covered.Contains(o)).Select(o => o.OpType)));
    }

    static void Check(string domain, string opType, GradientCase c, int seed, bool kernels)
    {
        var (inputs, attributes) = (c.Inputs, c.Attributes);
        var differentiated = c.Checked ?? [.. Enumerable.Range(0, inputs.Length).Where(i => inputs[i]?.Type == DataType.Float)];
        using var model = new Model(opset: c.Opset);
        if (domain.Length > 0)
            model.OperatorSets[domain] = 1;
        var node = model.Graph.CreateNode(opType, domain);
        node.SetInputs([.. inputs.Select((t, i) => t is null ? null : model.Graph.AddInitializer($"in{i}", t))]);
        foreach (var attribute in attributes)
            node.SetAttribute(attribute);
        for (var i = 0; i < c.Outputs; i++)
            node.AddOutput($"out{i}");
        model.Graph.InsertBefore(null, node);
        foreach (var output in node.Outputs)
            model.Graph.AddOutput(output);

        var builder = new TrainingModelBuilder(model, c.Options(new TrainingModelOptions
        {
            Trainable = v => differentiated.Contains(int.Parse(v.Name[2..])),
            Kernels = kernels ? Inference.Kernels : [],
        }));
        Value? loss = null;
        for (var i = 0; i < c.Outputs; i++)
            if (builder.Find($"out{i}") is { ElementType: DataType.Float } y)
            {
                var weights = new CaseRandom(seed + 100 + i).Normal([.. y.Sizes()]);
                var part = builder.Ops.Total(builder.Ops.Mul(y, builder.Ops.Constant(weights)));
                loss = loss is null ? part : builder.Ops.Add(loss, part);
            }
        if (c.IsZero)
            foreach (var i in differentiated)
                loss = builder.Ops.Add(loss!, builder.Ops.Total(builder.Ops.Mul(builder.Find($"in{i}")!, builder.Ops.Constant(new CaseRandom(seed + 200 + i).Normal([.. inputs[i]!.Sizes])))));
        using var training = builder.Differentiate(loss!, Enumerable.Range(0, c.Outputs).Select(i => KeyValuePair.Create($"value{i}", builder.Find($"out{i}")!)));
        if (kernels && training.Model.OperatorSets[GraphOps.KernelDomain] == 0)
            return; // the same model again
        using var session = Inference.Open(training.Model, new InferenceOptions { Optimize = false, Threads = kernels ? 2 : 1 });
        var feeds = training.Random.Select(r => KeyValuePair.Create(r.Input, new CaseRandom(seed + 7).Uniform(0.5, 1, [.. r.Sizes])))
            .Concat(training.Parameters.Select(p => KeyValuePair.Create(p.Input, inputs[int.Parse(p.Name[2..])]!))).ToDictionary();
        var results = Run(session, feeds);
        Assert.Equal(differentiated.Length, training.Parameters.Length);
        if (c.KeepsValues && training.Random.Length == 0)
            KeepsValues(model, results, opType);
        foreach (var parameter in training.Parameters)
        {
            var analytic = results[parameter.Gradient];
            Assert.Equal(parameter.Sizes.AsEnumerable(), analytic.Sizes.AsEnumerable());
            var (a, numeric) = (analytic.ToArray<float>(), new double[analytic.Count]);
            for (var k = 0; k < numeric.Length; k++)
            {
                double At(double step)
                {
                    var moved = feeds[parameter.Input].ToArray<float>();
                    var (up, down) = ((float)(moved[k] + step), (float)(moved[k] - step));
                    moved[k] = up;
                    var high = Loss(session, feeds, parameter.Input, moved, training.Loss);
                    moved[k] = down;
                    return (high - Loss(session, feeds, parameter.Input, moved, training.Loss)) / ((double)up - down);
                }
                numeric[k] = (4 * At(c.Step) - At(2 * c.Step)) / 3;
            }
            var scale = Math.Max(1, numeric.Select(Math.Abs).DefaultIfEmpty(0).Max());
            for (var k = 0; k < numeric.Length; k++)
                Assert.True(Math.Abs(numeric[k] - a[k]) <= c.Tolerance * scale,
                    $"{opType}, seed {seed}, input {parameter.Name}[{k}] of [{string.Join(',', parameter.Sizes)}]: the rule says {a[k]}, differences say {numeric[k]}.");
        }
    }

    static void KeepsValues(Model model, Dictionary<string, Tensor> results, string opType)
    {
        using var session = Inference.Open(model, new InferenceOptions { Optimize = false });
        foreach (var (name, tensor) in Run(session, []))
            if (tensor.Type == DataType.Float)
            {
                var (expected, actual) = (tensor.ToArray<float>(), results["value" + name["out".Length..]].ToArray<float>());
                for (var k = 0; k < expected.Length; k++)
                    Assert.True(Math.Abs(expected[k] - actual[k]) <= 1e-4 * Math.Max(1, Math.Abs(expected[k])),
                        $"{opType}, {name}[{k}]: the operator yields {expected[k]}, its training form {actual[k]}.");
            }
    }

    static double Loss(IInferenceSession session, Dictionary<string, Tensor> feeds, string input, float[] content, string loss) =>
        Run(session, new(feeds) { [input] = Tensor.Of(content, [.. feeds[input].Sizes]) })[loss].ToArray<float>()[0];

    static Dictionary<string, Tensor> Run(IInferenceSession session, Dictionary<string, Tensor> feeds) =>
        session.Outputs.Zip(session.Run([.. feeds])).ToDictionary(p => p.First, p => p.Second);
}
