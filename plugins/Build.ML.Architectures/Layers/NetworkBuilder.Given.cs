using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Architectures.Layers;

// Networks with weights that are known, and sizes that are not.
sealed partial class NetworkBuilder
{
    /// <summary>A weight that is known.</summary>
    internal Value Weight(string name, Tensor tensor) => _graph.AddInitializer(name, tensor);

    /// <summary>An input [batch, <paramref name="length"/>] of any size.</summary>
    internal Value Sequences(string name, DataType type, string length) =>
        _graph.AddInput(name, new TensorType(type, new Shape(new Dimension("batch"), new Dimension(length))));
}
