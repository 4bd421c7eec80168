using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Build.ML.CacheWriter;

/// <summary>An artifact whose content follows from its number, so that any process can say whether what it got is right.</summary>
/// <param name="kind">0 to <see cref="Kinds"/> − 1.</param>
public sealed class SampleArtifact(int kind)
{
    /// <summary>How many different ones there are.</summary>
    public const int Kinds = 16;

    /// <summary>SHA-256 of the number.</summary>
    public string Fingerprint { get; } =
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(kind.ToString(CultureInfo.InvariantCulture))));

    /// <summary>Names of its files; the third is the same for all kinds.</summary>
    public IReadOnlyList<string> Files { get; } = ["model.onnx", "weights/model.onnx.data", "metrics.json"];

    /// <summary>Writes its files.</summary>
    public void Write(string folder)
    {
        foreach (var file in Files)
        {
            var path = Path.Combine(folder, file);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllBytes(path, Content(file));
        }
    }

    /// <summary>Compares files with what they should hold.</summary>
    /// <exception cref="InvalidDataException">Another content.</exception>
    public void Check(string folder)
    {
        foreach (var file in Files)
        {
            if (!File.ReadAllBytes(Path.Combine(folder, file)).AsSpan().SequenceEqual(Content(file)))
            {
                throw new InvalidDataException($"{file} of sample {kind} is not what was stored.");
            }
        }
    }

    private byte[] Content(string file)
    {
        var seed = file == "metrics.json" ? 1_000_000 : (kind * 2) + (file == "model.onnx" ? 0 : 1);
        var random = new Random(seed);
        var bytes = new byte[random.Next(1, 300_000)];
        random.NextBytes(bytes);
        return bytes;
    }
}
