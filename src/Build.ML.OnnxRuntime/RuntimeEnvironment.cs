using Microsoft.ML.OnnxRuntime;

namespace Build.ML.OnnxRuntime;

/// <summary>The runtime's process-wide environment, silent: what it would print on stderr reaches users as diagnostics instead.</summary>
internal static class RuntimeEnvironment
{
    /// <summary>Version of the native library, such as <c>1.29.0</c>.</summary>
    public static string Version { get; } = Create().GetVersionString();

    private static OrtEnv Create()
    {
        // A host that uses the runtime itself may have created the environment already; it then keeps its own log level, and
        // sessions are still silenced one by one.
        if (OrtEnv.IsCreated)
        {
            return OrtEnv.Instance();
        }

        var options = new EnvironmentCreationOptions { logId = "Build.ML", logLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL };
        var environment = OrtEnv.CreateInstanceWithOptions(ref options);
        environment.DisableTelemetryEvents();
        return environment;
    }
}
