using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.References;
using Build.ML.Data.Files;
using Build.ML.Data.Images;

namespace Build.ML.Data;

/// <summary>
/// Images (PNG, BMP, PGM, PPM) of a folder or a .zip or .tgz file, in ordinal order of their names. With a labels file, the images it lists
/// in its order; else
/// the sub-folders are the classes, numbered in ordinal order of their names, and images that lie in no sub-folder have no label.
/// </summary>
[DataReader("image_folder")]
public sealed class ImageFolderReader : DataReader<ImageFolderReader.Options>
{
    /// <summary>What to read, how images are resized and how pixels become elements.</summary>
    public sealed record Options : ImageOptions
    {
        /// <summary>The folder, or a .zip, .tar or .tgz file.</summary>
        public required FileReference Path { get; init; }

        /// <summary>
        /// A CSV file with a header line: column <c>file</c> (path below the folder, forward slashes) and column <c>text</c>, <c>class</c>
        /// or both.
        /// Default: <c>labels.csv</c> at the top of the folder where there is one, else sub-folders are classes.
        /// </summary>
        public FileReference? Labels { get; init; }

        /// <summary>Channels of the tensor, 3 (grey is copied to all) or 1 (luma). Default 3.</summary>
        [AllowedValues(1, 3)]
        public int Channels { get; init; } = 3;

        /// <summary>Order of colour channels; default <c>rgb</c>.</summary>
        public ChannelOrder Order { get; init; } = ChannelOrder.Rgb;

        /// <summary>Height to resize to, bilinear. Default 0: as the image is, or, where a width is given, what keeps the aspect.</summary>
        [Range(0, 1 << 16)]
        public int Height { get; init; }

        /// <summary>
        /// Width to resize to, bilinear. Default 0: as the image is, or, where a height is given, what keeps the aspect, rounded up.
        /// </summary>
        [Range(0, 1 << 16)]
        public int Width { get; init; }

        /// <summary>The tensor is padded on the right to at least this width. Default 0.</summary>
        [Range(0, 1 << 16)]
        public int MinWidth { get; init; }

        /// <summary>The tensor is padded on the right to a multiple of this width. Default 1.</summary>
        [Range(1, 1 << 16)]
        public int WidthMultiple { get; init; } = 1;

        /// <summary>Element value of the padding, after normalization. Default 0.</summary>
        public double Padding { get; init; }

        /// <inheritdoc/>
        protected override int KnownChannels => Channels;
    }

    /// <inheritdoc/>
    public override DataSet Read(Options options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var tree = new FileTree(options.Path.Path);
        var images = ImageLabels.Of(tree, options.Labels?.Path);
        if (images.Count == 0)
        {
            throw DataErrors.DoesNotFit(
                tree.Path, $"It holds no image; expected files that end with {string.Join(", ", ImageDecoder.AllExtensions.Order(StringComparer.Ordinal))}.");
        }

        var tensors = new PixelTensors(options, options.Channels, tree.Path);
        return new IndexedDataSet(images.Count, index =>
        {
            var (name, label) = images[index];
            var image = Prepare(ImageDecoder.DecodeAny(tree.Read(name), tree.Describe(name)), options);
            var width = Math.Max(image.Width, options.MinWidth);
            width = (width + options.WidthMultiple - 1) / options.WidthMultiple * options.WidthMultiple;
            return new Sample([new(options.Input, tensors.Of(image, width, (float)options.Padding))], label);
        });
    }

    private static PixelImage Prepare(PixelImage image, Options options)
    {
        image = image.WithChannels(options.Channels);
        var (width, height) = (options.Width, options.Height) switch
        {
            (0, 0) => (image.Width, image.Height),
            (0, var h) => ((int)Math.Ceiling((double)image.Width * h / image.Height), h),
            (var w, 0) => (w, (int)Math.Ceiling((double)image.Height * w / image.Width)),
            var both => both,
        };
        image = image.Resized(width, height);
        return options.Order == ChannelOrder.Bgr ? image.Reversed() : image;
    }
}
