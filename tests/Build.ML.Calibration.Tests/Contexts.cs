using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.Techniques;
using Build.ML.OnnxRuntime;

namespace Build.ML.Calibration.Tests;

static class Contexts
{
    public static StepContext Of(DataSet data, string scratch, int threads = 2) => new()
    {
        StepId = "step",
        Data = _ => data,
        Model = _ => throw new InvalidOperationException("No other model."),
        Inference = new OnnxRuntimeInference(),
        Threads = threads,
        ScratchDirectory = scratch,
    };
}
