using System.Security.Cryptography;
using Build.ML.Graph.Onnx;

namespace Build.ML.Graph;

/// <content>Identity of what a model is.</content>
public sealed partial class Model
{
    /// <summary>
    /// SHA-256 (64 lower-case hexadecimal digits) over all that decides what the model computes: the file it would be written to with large weights beside it, then these
    /// weights one after another. Models that compute the same but are written otherwise (names, documentation, encoding) may differ; a model opened from a file and its clone
    /// do not. Reads every weight once, holding a piece of one at a time.
    /// </summary>
    /// <param name="cancellation">Stops between pieces.</param>
    public string ContentHash(CancellationToken cancellation = default)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        var threshold = new SaveOptions().ExternalThreshold;
        var layout = ExternalLayout.Of(this, "weights", t => t.ByteLength >= threshold);
        var writer = new WireWriter(cancellation: cancellation);
        new OnnxWriter(writer, layout).Write(this);
        using var sha = SHA256.Create();
        using (var stream = new CryptoStream(Stream.Null, sha, CryptoStreamMode.Write))
        {
            Write(writer, layout, stream);
            layout.Write(stream, cancellation);
        }

        return Convert.ToHexStringLower(sha.Hash!);
    }
}
