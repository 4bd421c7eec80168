namespace Build.ML.Engine;

/// <summary>Folders of the user that hosts of the engine (worker, command line) share.</summary>
public static class UserFolders
{
    /// <summary>The artifact cache where none is named: <c>buildml/cache</c> below the user's folder for local application data.</summary>
    public static string Cache { get; } = Path.Combine(
        Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify), "buildml", "cache");
}
