using System.Collections.Immutable;
using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.References;
using Build.ML.Data.Files;
using Build.ML.Data.Images;
using Build.ML.Graph;
using DataType = Build.ML.Graph.DataType;

namespace Build.ML.Data;

/// <summary>
/// MNIST's IDX files: images of 8-bit pixels [count, height, width] or [count, height, width, channels], labels [count] of class numbers. Samples are
/// float[channels, height, width] or what <c>layout</c> and <c>shape</c> say.
/// </summary>
[DataReader("idx")]
public sealed class IdxReader : DataReader<IdxReader.Options>
{
    /// <summary>What to read and how pixels become elements.</summary>
    public sealed record Options : ImageOptions
    {
        /// <summary>The images, plain or gzip.</summary>
        public required FileReference Images { get; init; }

        /// <summary>The class numbers, plain or gzip; default none.</summary>
        public FileReference? Labels { get; init; }

        /// <summary>Channels of the tensor, 1 or 3: grey images are copied to all three. Default: as the file has.</summary>
        [AllowedValues(0, 1, 3)]
        public int Channels { get; init; }

        /// <summary>Sizes of a sample's tensor, such as [784]; default [channels, height, width] in the order of <c>layout</c>.</summary>
        public ImmutableArray<long> Shape { get; init; } = [];

        /// <inheritdoc/>
        protected override int KnownChannels => Channels;
    }

    /// <inheritdoc/>
    public override DataSet Read(Options options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var images = new IdxFile(options.Images.Path);
        if (images.Type != DataType.UInt8 || images.Sizes.Length is not (3 or 4) || (images.Sizes.Length == 4 && images.Sizes[3] is not (1 or 3)))
        {
            throw DataErrors.DoesNotFit(
                images.Path, $"It holds {images.Type.OnnxName()}[{string.Join(',', images.Sizes)}], expected uint8[count,height,width] or "
                + "uint8[count,height,width,1 or 3]. Name the file with the images.");
        }

        var channels = images.Sizes.Length == 4 ? images.Sizes[3] : 1;
        var tensors = new PixelTensors(options, options.Channels == 0 ? channels : options.Channels, images.Path);
        var shape = ShapeOf(options, images, tensors.Channels);
        var labels = options.Labels is { } reference ? LabelsOf(reference.Path, images) : null;
        return new IndexedDataSet(images.Sizes[0], index =>
        {
            var image = new PixelImage(images.Sizes[2], images.Sizes[1], channels, images.Bytes(index)).WithChannels(tensors.Channels);
            var tensor = tensors.Of(image, image.Width, 0);
            var label = labels is null ? Label.None : new Label { Class = (long)labels.Numbers(index)[0] };
            return new Sample([new(options.Input, shape is null ? tensor : tensor.Reshape(shape))], label);
        });
    }

    private static long[]? ShapeOf(Options options, IdxFile images, int channels)
    {
        if (options.Shape.IsDefaultOrEmpty)
        {
            return null;
        }

        var elements = (long)images.Sizes[1] * images.Sizes[2] * channels;
        return options.Shape.All(s => s > 0) && options.Shape.Aggregate((UInt128)1, (product, size) => product * (ulong)size) == (ulong)elements
            ? [.. options.Shape]
            : throw DataErrors.DoesNotFit(
                images.Path, $"An image has {elements} elements, 'shape' says [{string.Join(',', options.Shape)}]; make their product {elements}.");
    }

    private static IdxFile LabelsOf(string path, IdxFile images)
    {
        var labels = new IdxFile(path);
        if (!labels.Type.IsInteger() || labels.Sizes.Length != 1)
        {
            throw DataErrors.DoesNotFit(path, $"It holds {labels.Type.OnnxName()}[{string.Join(',', labels.Sizes)}], expected integers [count].");
        }

        return labels.Sizes[0] == images.Sizes[0]
            ? labels
            : throw DataErrors.CountsDiffer(path, labels.Sizes[0], images.Path, images.Sizes[0]);
    }
}
