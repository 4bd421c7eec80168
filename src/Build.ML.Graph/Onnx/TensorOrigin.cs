namespace Build.ML.Graph.Onnx;

/// <summary>How a file held a tensor: what is needed to write an unchanged tensor back byte for byte.</summary>
internal sealed record TensorOrigin;
