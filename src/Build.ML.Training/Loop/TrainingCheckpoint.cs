using System.Collections.Immutable;
using System.Security.Cryptography;

namespace Build.ML.Training;

/// <summary>
/// A run's state in a file, whole or not at all: written under another name, flushed to the disk, renamed, and with a hash at its end, so that a file which a power cut tore is not taken
/// for one.
/// </summary>
/// <param name="directory">The step's checkpoint folder, which belongs to one fingerprint; empty where nothing is to be kept.</param>
internal sealed class TrainingCheckpoint(string directory)
{
    private const int HashLength = 32;
    private const string Format = "Build.ML training 1";

    private string File => Path.Combine(directory, "training.checkpoint");

    /// <summary>Whether checkpoints are kept.</summary>
    public bool IsKept => directory.Length > 0;

    /// <summary>Writes a checkpoint in the place of the one before.</summary>
    public void Save(TrainingProgress progress, WeightStore store, ImmutableArray<TrainingHook> hooks)
    {
        var temporary = File + ".tmp";
        using (var file = new FileStream(temporary, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 20))
        {
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            using (var writer = new BinaryWriter(new HashedStream(file, hash)))
            {
                writer.Write(Format);
                progress.Save(writer);
                foreach (var buffer in store.Lasting)
                {
                    writer.Write(buffer.ByteLength);
                    writer.Write(buffer.Span<byte>());
                }

                foreach (var hook in hooks)
                {
                    hook.Save(writer);
                }
            }

            file.Write(hash.GetHashAndReset());
            file.Flush(flushToDisk: true);
        }

        System.IO.File.Move(temporary, File, overwrite: true);
    }

    /// <summary>Reads the checkpoint where there is a whole one; false where there is none.</summary>
    public bool TryLoad(TrainingProgress progress, WeightStore store, ImmutableArray<TrainingHook> hooks)
    {
        if (!IsKept || !System.IO.File.Exists(File))
        {
            return false;
        }

        using var file = new FileStream(File, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 20);
        if (!IsWhole(file))
        {
            return false;
        }

        file.Position = 0;
        using var reader = new BinaryReader(file);
        if (reader.ReadString() != Format)
        {
            return false;
        }

        progress.Load(reader);
        foreach (var buffer in store.Lasting)
        {
            // The folder belongs to one fingerprint: other sizes are a bug, not a user's mistake.
            if (reader.ReadInt64() != buffer.ByteLength)
            {
                throw new InvalidDataException($"{File} holds weights of other sizes.");
            }

            reader.BaseStream.ReadExactly(buffer.Span<byte>());
        }

        foreach (var hook in hooks)
        {
            hook.Load(reader);
        }

        return true;
    }

    private static bool IsWhole(FileStream file)
    {
        if (file.Length <= HashLength)
        {
            return false;
        }

        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var piece = new byte[1 << 20];
        for (var left = file.Length - HashLength; left > 0;)
        {
            var read = file.Read(piece, 0, (int)Math.Min(left, piece.Length));
            hash.AppendData(piece, 0, read);
            left -= read;
        }

        var expected = new byte[HashLength];
        file.ReadExactly(expected);
        return hash.GetHashAndReset().AsSpan().SequenceEqual(expected);
    }

    private sealed class HashedStream(Stream inner, IncrementalHash hash) : Stream
    {
        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            hash.AppendData(buffer);
            inner.Write(buffer);
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Flush() => inner.Flush();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
