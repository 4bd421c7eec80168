using System.Text.Json;

namespace Build.ML.Worker;

/// <summary>The projects that a build has asked for so far, each with its engine: plugins are loaded once a project and build.</summary>
public sealed class SessionPool : IDisposable
{
    readonly Dictionary<string, Session> sessions = new(StringComparer.Ordinal);

    /// <summary>The session of a request's project: the same for the same recipes, plugins, properties and folders.</summary>
    public Session For(JsonElement parameters)
    {
        var settings = SessionSettings.Read(parameters);
        lock (sessions)
        {
            if (!sessions.TryGetValue(settings.Identity, out var session))
                sessions[settings.Identity] = session = new Session(settings);
            return session;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (sessions)
            foreach (var session in sessions.Values)
                session.Dispose();
    }
}
