using System.Globalization;
using Build.ML.Data.Files;
using Build.ML.Graph.Catalogs;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Data.Images;

/// <summary>Names an image format; a sealed class with it and one file is all it takes to add one.</summary>
/// <param name="name">Name of the format, lower case.</param>
public sealed class ImageFormatAttribute(string name) : CatalogAttribute(name)
{
    /// <inheritdoc/>
    public override Type EntryType => typeof(ImageDecoder);
}

/// <summary>Reads one image format. Decoders hold no state.</summary>
public abstract class ImageDecoder
{
    private static readonly Catalog<ImageDecoder> Formats = Catalog<ImageDecoder>.Scan(typeof(ImageDecoder).Assembly);

    /// <summary>Extensions of file names, lower case with the dot.</summary>
    public abstract IReadOnlyList<string> Extensions { get; }

    /// <summary>Extensions of all formats.</summary>
    public static IReadOnlySet<string> AllExtensions { get; } =
        Formats.SelectMany(f => f.Create().Extensions).ToHashSet(StringComparer.Ordinal);

    /// <summary>Whether the bytes start as the format does.</summary>
    public abstract bool Recognizes(ReadOnlySpan<byte> bytes);

    /// <summary>Decodes an image; transparency is dropped, 16-bit samples keep their upper byte.</summary>
    /// <param name="bytes">The file.</param>
    /// <param name="file">Its name, for messages.</param>
    /// <exception cref="DiagnosticException">BML5202: the file breaks the format's rules; BML5206: it uses a part of the format not read here.</exception>
    public abstract PixelImage Decode(ReadOnlySpan<byte> bytes, string file);

    /// <summary>Decodes an image of any known format, by its content.</summary>
    /// <exception cref="DiagnosticException">BML5206: no known format; else see <see cref="Decode"/>.</exception>
    public static PixelImage DecodeAny(ReadOnlySpan<byte> bytes, string file)
    {
        foreach (var format in Formats)
        {
            var decoder = format.Create();
            if (decoder.Recognizes(bytes))
            {
                return decoder.Decode(bytes, file);
            }
        }

        var start = Convert.ToHexString(bytes[..Math.Min(4, bytes.Length)]);
        throw NotRead(file, bytes is [0xff, 0xd8, 0xff, ..] ? "It is a JPEG image" : $"It starts with bytes {start}");
    }

    /// <summary>BML5206.</summary>
    protected static DiagnosticException NotRead(string file, string what) => new(
        "BML5206", $"{what}; expected one of {string.Join(", ", Formats.Names)}. Convert the image, for example to PNG.", new(file));

    /// <summary>BML5202.</summary>
    protected static DiagnosticException Broken(string file, long offset, string actual, string expected) =>
        DataErrors.Malformed(file, offset, actual, expected);

    /// <summary>Refuses sizes that are 0, or whose pixels could not be held or could not come from so few bytes.</summary>
    /// <param name="width">Claimed width.</param>
    /// <param name="height">Claimed height.</param>
    /// <param name="limit">Most pixels the file's bytes can stand for.</param>
    /// <param name="file">File name.</param>
    /// <param name="offset">Where the sizes are.</param>
    protected static void CheckSize(long width, long height, long limit, string file, long offset)
    {
        if (width < 1 || height < 1 || width > 1 << 24 || height > 1 << 24 || width * height > Math.Min(limit, 1 << 28))
        {
            var actual = string.Create(CultureInfo.InvariantCulture, $"{width} by {height} pixels");
            var expected = string.Create(CultureInfo.InvariantCulture, $"1 to {Math.Min(limit, 1 << 28)} pixels in a file of that length");
            throw Broken(file, offset, actual, expected);
        }
    }
}
