using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.References;
using Build.ML.Data.Files;
using Build.ML.Data.Images;

namespace Build.ML.Data;

/// <summary>
/// CIFAR's binary layout: records of label bytes and 3,072 bytes, the red, green and blue plane of 32 × 32 pixels. Samples are float[3,32,32] (or
/// [32,32,3]) with the class as label.
/// </summary>
[DataReader("cifar")]
public sealed class CifarReader : DataReader<CifarReader.Options>
{
    private const int Side = 32;
    private const int Planes = 3 * Side * Side;

    /// <summary>What to read and how pixels become elements.</summary>
    public sealed record Options : ImageOptions
    {
        /// <summary>The file, plain or gzip.</summary>
        public required FileReference File { get; init; }

        /// <summary>Label bytes before each image: 1 for CIFAR-10, 2 for CIFAR-100 (coarse, fine). The last is the class. Default 1.</summary>
        [Range(1, 2)]
        public int LabelBytes { get; init; } = 1;

        /// <inheritdoc/>
        protected override int KnownChannels => 3;
    }

    /// <inheritdoc/>
    public override DataSet Read(Options options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var bytes = new FileBytes(options.File.Path);
        var record = options.LabelBytes + Planes;
        if (bytes.Length == 0 || bytes.Length % record != 0)
        {
            throw DataErrors.Malformed(
                bytes.Path, bytes.Length - (bytes.Length % record), $"a file of {bytes.Length} bytes", $"one or more whole records of {record} bytes");
        }

        var tensors = new PixelTensors(options, 3, bytes.Path);
        return new IndexedDataSet(checked((int)(bytes.Length / record)), index =>
        {
            var data = bytes.Read((long)index * record, record);
            return new Sample(
                [new(options.Input, tensors.OfPlanes(data.AsSpan(options.LabelBytes), Side, Side))],
                new Label { Class = data[options.LabelBytes - 1] });
        });
    }
}
