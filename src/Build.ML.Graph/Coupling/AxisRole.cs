namespace Build.ML.Graph.Coupling;

/// <summary>What a constant has to do with an axis it runs along.</summary>
public enum AxisRole
{
    /// <summary>A weight whose slices along the dimension make the axis' positions: rows of a layer's weight that produce them.</summary>
    Output,

    /// <summary>A weight that sums over the axis: its slices along the dimension read the positions.</summary>
    Input,

    /// <summary>One parameter or some per position: scale, bias, statistics of a batch normalisation, depthwise kernel, width of an embedding's rows.</summary>
    Parameter,
}
