using Build.ML.Abstractions.Inference;
using Microsoft.ML.OnnxRuntime;

namespace Build.ML.OnnxRuntime;

/// <summary>The runtime's session options that serve repeatable results and fair timing.</summary>
internal static class SessionSettings
{
    /// <summary>New options; the caller disposes them after the session is created.</summary>
    public static SessionOptions Of(InferenceOptions options)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Threads, 1);
        _ = RuntimeEnvironment.Version;
        var settings = new SessionOptions
        {
            IntraOpNumThreads = options.Threads,
            InterOpNumThreads = 1,
            ExecutionMode = ExecutionMode.ORT_SEQUENTIAL,
            GraphOptimizationLevel = options.Optimize ? GraphOptimizationLevel.ORT_ENABLE_ALL : GraphOptimizationLevel.ORT_DISABLE_ALL,
            LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL,
        };

        // Workers spin within a run, where the next operator is microseconds away, and sleep between runs, where managed code
        // needs the cores.
        settings.AddSessionConfigEntry("session.force_spinning_stop", "1");
        if (options.Threads >= Environment.ProcessorCount)
        {
            settings.AddSessionConfigEntry("session.intra_op.allow_spinning", "0");
        }

        return settings;
    }
}
