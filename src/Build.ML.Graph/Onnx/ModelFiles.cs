using Build.ML.Graph.Diagnostics;

namespace Build.ML.Graph.Onnx;

/// <summary>
/// Writes files so that each is there whole or not at all: into a temporary file beside the target, to the disk, then renamed over it. When any
/// step fails, the targets are what they were.
/// </summary>
internal static class ModelFiles
{
    /// <summary>Writes a model file, and the file with its external data if it has one.</summary>
    /// <param name="path">The model file.</param>
    /// <param name="writeModel">Writes the model.</param>
    /// <param name="dataPath">The data file, or null.</param>
    /// <param name="writeData">Writes the data.</param>
    /// <exception cref="DiagnosticException">BML2018: a file cannot be written.</exception>
    public static void Replace(string path, Action<Stream> writeModel, string? dataPath, Action<Stream> writeData)
    {
        var temporaries = new List<string>();
        try
        {
            var data = dataPath is null ? null : WriteTemporary(dataPath, writeData, temporaries);
            var model = WriteTemporary(path, writeModel, temporaries);
            if (data is null)
            {
                Rename(model, path);
                return;
            }

            var old = SetAside(dataPath!, temporaries);
            try
            {
                Rename(data, dataPath!);
                Rename(model, path);
            }
            catch
            {
                if (old is not null)
                {
                    File.Move(old, dataPath!, overwrite: true);
                }
                else
                {
                    File.Delete(dataPath!);
                }

                throw;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new DiagnosticException("BML2018", $"The model cannot be written: {e.Message} The files are as before.", new(path));
        }
        finally
        {
            foreach (var temporary in temporaries)
            {
                TryDelete(temporary);
            }
        }
    }

    private static string WriteTemporary(string path, Action<Stream> write, List<string> temporaries)
    {
        var temporary = $"{path}.{Path.GetRandomFileName()}.tmp";
        temporaries.Add(temporary);
        using var file = new DurableFile(temporary);
        write(file);
        file.Complete();
        return temporary;
    }

    private static string? SetAside(string path, List<string> temporaries)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        var aside = $"{path}.{Path.GetRandomFileName()}.tmp";
        File.Move(path, aside);
        temporaries.Add(aside);
        return aside;
    }

    private static void Rename(string temporary, string path)
    {
        try
        {
            File.Move(temporary, path, overwrite: true);
        }
        catch (Exception e) when (OperatingSystem.IsWindows() && e is IOException or UnauthorizedAccessException && File.Exists(path))
        {
            // Windows lets a file that is open here be renamed, not replaced: it goes when the last model lets go of it.
            var aside = $"{path}.{Path.GetRandomFileName()}.tmp";
            File.Move(path, aside);
            File.Move(temporary, path);
            TryDelete(aside);
        }
    }

    private static void TryDelete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Left over beside the target: in use, or on a disk that fails. The outcome reported is that of the writing.
        }
    }
}
