namespace Build.ML.Engine;

/// <summary>
/// A file or folder that a plan depends on: while none of them changes, the same plan would come out. A folder's time tells of files that came or went;
/// the files in it are inputs of their own.
/// </summary>
/// <param name="Path">Full path.</param>
/// <param name="Size">Bytes; <see cref="FolderSize"/> for a folder.</param>
/// <param name="ModifiedTicks">Time of last write, in 100 ns ticks of UTC.</param>
/// <param name="Sha256">Hash of the content in hexadecimal; empty for a folder.</param>
public sealed record PlanInput(string Path, long Size, long ModifiedTicks, string Sha256)
{
    /// <summary>Stands for the size of a folder: −2.</summary>
    public const long FolderSize = -2;
}
