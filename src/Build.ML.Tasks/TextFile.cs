using System.Text;

namespace Build.ML.Tasks;

/// <summary>Small text files that other processes may read at any moment: written beside their place and renamed into it.</summary>
static class TextFile
{
    static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false);

    /// <summary>Writes the file, replacing an older one in one step.</summary>
    internal static void Write(string path, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        var scratch = path + "." + Path.GetRandomFileName() + ".tmp";
        try
        {
            File.WriteAllText(scratch, text, Utf8);
            if (File.Exists(path))
                File.Replace(scratch, path, destinationBackupFileName: null);
            else
                File.Move(scratch, path);
        }
        finally
        {
            File.Delete(scratch);
        }
    }

    /// <summary>Writes the file only where it holds something else, so that its time tells when it changed.</summary>
    internal static void WriteIfChanged(string path, string text)
    {
        if (!File.Exists(path) || File.ReadAllText(path, Utf8) != text)
            Write(path, text);
    }
}
