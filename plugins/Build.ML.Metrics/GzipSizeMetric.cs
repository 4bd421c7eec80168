using System.Collections.Immutable;
using System.IO.Compression;
using Build.ML.Abstractions;
using Build.ML.Abstractions.Metrics;
using Build.ML.Graph;

namespace Build.ML.Metrics;

/// <summary>
/// Bytes of the model's file and its external data, each packed with gzip: what an update over the network takes. Zeros of pruned weights and repeated
/// values of clustered ones show here.
/// </summary>
[Metric("gzip_size")]
public sealed class GzipSizeMetric : ModelMetric<NoOptions>
{
    /// <inheritdoc/>
    public override ImmutableArray<MetricValue> Measure(NoOptions options, MetricContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return
        [
            new("gzip_size", Packed(context.ModelFile, context.Cancellation), "bytes", Direction.LowerIsBetter)
            {
                SourceValue = Packed(context.SourceFile, context.Cancellation),
            },
        ];
    }

    private static long Packed(string file, CancellationToken cancellation)
    {
        using var model = Model.Open(file);
        long total = 0;
        var buffer = new byte[1 << 20];
        foreach (var part in model.Files)
        {
            using var counter = new CountingStream();
            using (var gzip = new GZipStream(counter, CompressionLevel.Optimal, leaveOpen: true))
            using (var source = File.OpenRead(part))
            {
                for (int read; (read = source.Read(buffer)) > 0;)
                {
                    cancellation.ThrowIfCancellationRequested();
                    gzip.Write(buffer, 0, read);
                }
            }

            total += counter.Length;
        }

        return total;
    }

    // Takes what is written and remembers only how much.
    private sealed class CountingStream : Stream
    {
        private long _length;

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => _length;

        public override long Position { get => _length; set => throw new NotSupportedException(); }

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => _length += count;

        public override void Write(ReadOnlySpan<byte> buffer) => _length += buffer.Length;
    }
}
