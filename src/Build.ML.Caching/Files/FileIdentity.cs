using System.Runtime.InteropServices;

namespace Build.ML.Caching.Files;

/// <summary>
/// What the file system says about a file without reading it. While it stays the same, so (but see <see cref="FileHashCache"/>) does the content.
/// </summary>
/// <param name="Size">Bytes.</param>
/// <param name="ModifiedTicks">Last write of the content, in 100 ns ticks of UTC since year 1.</param>
/// <param name="ChangedTicks">
/// Last change of content or metadata (<c>ctime</c>), which programs cannot set back; same unit. 0 where the system has none.
/// </param>
/// <param name="Node">Number of the file in its file system; 0 where the system has none.</param>
public readonly partial record struct FileIdentity(long Size, long ModifiedTicks, long ChangedTicks, ulong Node)
{
    const int AtCwd = -100;
    const uint BasicStats = 0x7ff;
    const int DirectoryMode = 0x4000, TypeMask = 0xF000;

    /// <summary>Asks the file system; symbolic links are followed.</summary>
    /// <returns>Null when there is no such file.</returns>
    public static FileIdentity? Of(string path)
    {
        // The layout of statx is the same on every Linux; elsewhere size and write time have to do.
        if (OperatingSystem.IsLinux())
        {
            return statx(AtCwd, path, 0, BasicStats, out var stat) == 0 && (stat.Mode & TypeMask) != DirectoryMode
                ? new((long)stat.Size, stat.Modified.Ticks, stat.Changed.Ticks, stat.Node)
                : null;
        }

        var file = new FileInfo(path);
        if (file.LinkTarget is not null)
        {
            file = (FileInfo)file.ResolveLinkTarget(returnFinalTarget: true)!;
        }

        return file.Exists ? new(file.Length, file.LastWriteTimeUtc.Ticks, 0, 0) : null;
    }

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int statx(int directory, string path, int flags, uint mask, out Statx buffer);

    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct Statx
    {
        [FieldOffset(28)] public ushort Mode;
        [FieldOffset(32)] public ulong Node;
        [FieldOffset(40)] public ulong Size;
        [FieldOffset(96)] public Timestamp Changed;
        [FieldOffset(112)] public Timestamp Modified;
    }

    [StructLayout(LayoutKind.Explicit, Size = 16)]
    private struct Timestamp
    {
        [FieldOffset(0)] public long Seconds;
        [FieldOffset(8)] public uint Nanoseconds;

        public readonly long Ticks => DateTime.UnixEpoch.Ticks + (Seconds * TimeSpan.TicksPerSecond) + (Nanoseconds / 100);
    }
}
