using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Quantization.Static;

namespace Build.ML.Quantization.QuantizationAware;

/// <summary>Takes over what was learnt: weights, biases and step sizes of the trained model go into the model to be quantized and into the tables that its integers are written from.</summary>
/// <param name="model">The model that the trainable one was made of; edited.</param>
/// <param name="plan">Its plan.</param>
/// <param name="activations">Gets the scales learnt.</param>
/// <param name="weights">Gets the scales learnt and the weights rounded with them.</param>
internal sealed class LearntQuantization(Model model, QdqPlan plan, ActivationParameters activations, WeightTable weights)
{
    /// <summary>By how much training changed the step size of each layer's weight, and of what it multiplies: the geometric mean of new/old.</summary>
    public IReadOnlyDictionary<Node, (double Weight, double? Input)> Changes => _changes;

    private readonly Dictionary<Node, (double Weight, double? Input)> _changes = [];

    /// <summary>Does it.</summary>
    /// <param name="trained">The trainable model after training.</param>
    /// <param name="written">What it was written by.</param>
    public void Take(Model trained, TrainableQuantization written)
    {
        foreach (var value in model.Graph.Initializers.ToArray())
        {
            if (value.ElementType == DataType.Float && trained.Graph.Find(value.Name)?.Initializer is { } tensor)
            {
                model.Graph.SetInitializer(value, tensor);
            }
        }

        var inputs = new Dictionary<string, double>();
        foreach (var (first, step) in written.ActivationSteps)
        {
            var size = step.Read(trained);
            inputs[first] = Change(step.Start, size);
            activations.Learn(first, size[0]);
        }

        var shared = new SharedScales(plan);
        var steps = written.WeightSteps.ToDictionary(s => s.Key, s => s.Value);
        foreach (var node in plan.Nodes.Where(n => n.Form.Weight is not null && n.Node.Graph == model.Graph))
        {
            var weight = node.Node.Inputs[node.Form.Weight!.Value]!;
            var step = steps[(weight.Name, node.Form.WeightAxis)];
            var size = step.Read(trained);
            var group = node.WeightOnly ? null : shared.Of(node.Node.Inputs[node.Form.Activations[0]]!.Name);
            var bias = node.Form.Bias is { } index && group is not null ? node.Node.Input(index)?.Constant : null;
            weights.Learn(weight, node.Form.WeightAxis, size, bias, group is null ? 0 : activations.Of(group).Scale);
            _changes[node.Node] = (Change(step.Start, size), group is null ? null : inputs.GetValueOrDefault(group[0], 1));
        }
    }

    private static double Change(float[] start, float[] now)
    {
        var sum = 0d;
        for (var i = 0; i < start.Length; i++)
        {
            sum += Math.Log((double)now[i] / start[i]);
        }

        return start.Length == 0 ? 1 : Math.Exp(sum / start.Length);
    }
}
