using System.Collections.Immutable;
using Build.ML.Abstractions.Architectures;
using Build.ML.Abstractions.Inference;
using Build.ML.Abstractions.Selection;
using Build.ML.Architectures.Images;
using Build.ML.Architectures.Texts;
using Build.ML.Autodiff;
using Build.ML.FineTuning;
using Build.ML.FineTuning.Lora;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;
using Build.ML.Training;

namespace Build.ML.Benchmarks.Frame;

/// <summary>A network that is trained on one batch of random data, as fast as it goes: what a step of training computes, without data and logging.</summary>
internal sealed class TrainingStepModel : IDisposable
{
    private readonly TrainingModel _model;
    private readonly Dictionary<string, TensorBuffer> _buffers = new(StringComparer.Ordinal);
    private readonly List<TrainedWeight> _weights = [];
    private readonly IBoundSession _session;
    private readonly WeightUpdate _update;
    private readonly int _threads;
    private long _steps;

    private TrainingStepModel(Model forward, int batch, Optimizer optimizer, int threads, bool kernels, Func<Value, bool> trainable)
    {
        var inference = new OnnxRuntimeInference();
        var sizes = forward.Graph.Inputs.ToImmutableDictionary(i => i.Name, i => ImmutableArray.Create([batch, .. i.Shape!.Dimensions.Skip(1).Select(d => d.Size!.Value)]));
        var builder = new TrainingModelBuilder(forward, new TrainingModelOptions { InputSizes = sizes, Trainable = trainable, Kernels = kernels ? inference.Kernels : [] });
        var scores = builder.Outputs[0];
        var classes = scores.Size(-1);
        var labels = builder.AddInput("labels", DataType.Int64, scores.Count() / classes);
        _model = builder.Differentiate(builder.Ops.Node("SoftmaxCrossEntropyLoss", [builder.Ops.Reshape(scores, scores.Count() / classes, classes), labels]));
        _threads = threads;
        var random = new Random(1);
        foreach (var value in _model.Model.Graph.Inputs.Concat(_model.Model.Graph.Outputs))
        {
            _buffers.Add(value.Name, new TensorBuffer(value.ElementType, value.Shape!.ToSizes()!));
        }

        foreach (var (name, type) in _model.Data)
        {
            Fill(_buffers[name], type.ElementType, name switch { "attention_mask" => -1, "labels" => (int)classes, _ => 1000 }, random);
        }

        foreach (var parameter in _model.Parameters)
        {
            _buffers[parameter.Input].CopyFrom(forward.Graph.Find(parameter.Name)!.Initializer!);
            _weights.Add(new TrainedWeight(parameter.Name, _buffers[parameter.Input], _buffers[parameter.Gradient])
            {
                States = [.. Enumerable.Range(0, optimizer.StateCount).Select(_ => new TensorBuffer(DataType.Float, parameter.Sizes.AsSpan()))],
            });
        }

        _session = inference.Bind(_model.Model, _buffers, new InferenceOptions { Threads = threads });
        _update = new WeightUpdate(optimizer, _weights, threads);
    }

    /// <summary>The networks, as the peer calls them too.</summary>
    public static ImmutableArray<string> Names => ["lenet", "resnet20", "mobilenet_v2", "encoder", "gpt"];

    private static BertEncoder Encoder => new() { Layers = 2, Hidden = 512, Heads = 8, Intermediate = 2048, Vocabulary = 8192, Classes = 2, Length = 128 };

    /// <summary>Builds one.</summary>
    public static TrainingStepModel Create(string name, int threads, bool kernels)
    {
        Optimizer descent = new GradientDescent { LearningRate = 1e-3 }, adam = new AdamW { LearningRate = 1e-4 };
        var (architecture, batch, optimizer) = name switch
        {
            "lenet" => ((Architecture)new LeNet(), 128, descent),
            "resnet20" => (new CifarResNet(), 128, descent),
            "mobilenet_v2" => (new MobileNetV2 { Size = 32, Stride = 8, Classes = 10 }, 64, descent),
            "encoder" => (Encoder, 8, adam),
            "gpt" => (new Gpt2Decoder { Layers = 4, Hidden = 256, Heads = 4, Vocabulary = 2048, Length = 128, Positions = 128 }, 8, adam),
            _ => throw new ArgumentException($"There is no network '{name}'.", nameof(name)),
        };
        using var forward = architecture.Build(1);
        return new TrainingStepModel(forward, batch, optimizer, threads, kernels, TrainableWeights.IsWeight);
    }

    /// <summary>The encoder with low-rank adapters beside all its layers, which alone are trained.</summary>
    /// <param name="rank">Rank of the adapters.</param>
    /// <param name="threads">Cores.</param>
    public static TrainingStepModel CreateAdapted(int rank, int threads)
    {
        using var forward = Encoder.Build(1);
        var layers = AdaptableLayer.Find(forward, new LayerSelection(forward, [], [], [])).Layers;
        var trained = LowRankAdapters.Insert(forward, layers, new LoraFineTuning.Options { Data = new("none"), Rank = rank }, 1).SelectMany(a => new[] { a.A.Name, a.B.Name }).ToHashSet();
        return new TrainingStepModel(forward, 8, new AdamW { LearningRate = 1e-4 }, threads, kernels: true, v => trained.Contains(v.Name));
    }

    /// <summary>One step.</summary>
    public void Run()
    {
        _session.Run();
        _update.Apply(++_steps, 1e-4, 1);
    }

    /// <summary>Time of each node of the graph.</summary>
    public ImmutableArray<NodeTiming> Profile()
    {
        ImmutableArray<KeyValuePair<string, Tensor>> feeds = [.. _model.Model.Graph.Inputs.Select(i => KeyValuePair.Create(i.Name, _buffers[i.Name].ToTensor()))];
        return new OnnxRuntimeInference().Profile(_model.Model, [.. Enumerable.Repeat(feeds, 12)], new InferenceOptions { Threads = _threads }).Nodes;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _session.Dispose();
        _model.Dispose();
        _weights.ForEach(w => w.Dispose());
        foreach (var buffer in _buffers.Values)
        {
            buffer.Dispose();
        }
    }

    private static void Fill(TensorBuffer buffer, DataType type, int limit, Random random)
    {
        if (type == DataType.Float)
        {
            foreach (ref var element in buffer.Span<float>())
            {
                element = (float)((2 * random.NextDouble()) - 1);
            }

            return;
        }

        foreach (ref var element in buffer.Span<long>())
        {
            element = limit < 0 ? 1 : random.Next(limit);
        }
    }
}
