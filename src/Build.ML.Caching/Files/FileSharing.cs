using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Build.ML.Caching.Files;

/// <summary>How a second name for some content came about.</summary>
public enum SharingMethod
{
    /// <summary>Copy on write (reflink, clonefile): both files are independent and share blocks until written.</summary>
    Clone,

    /// <summary>A second name of the same file.</summary>
    HardLink,
}

/// <summary>Gives content a second name without copying it, where the file system can.</summary>
public static partial class FileSharing
{
    // _IOW(0x94, 9, int) of linux/fs.h
    private const nuint FileClone = 0x40049409;

    /// <summary>Clones or else hard-links <paramref name="source"/> as <paramref name="target"/>, which must not exist.</summary>
    /// <returns>How; null where neither can be done (another file system, too many links): nothing was created then.</returns>
    public static SharingMethod? TryShare(string source, string target) =>
        TryClone(source, target) ? SharingMethod.Clone : TryHardLink(source, target) ? SharingMethod.HardLink : null;

    /// <summary>Clones a file (copy on write).</summary>
    /// <returns>False where it cannot be done: nothing was created then.</returns>
    public static bool TryClone(string source, string target)
    {
        if (OperatingSystem.IsMacOS())
        {
            return clonefile(source, target, 0) == 0;
        }

        if (!OperatingSystem.IsLinux())
        {
            return false;
        }

        int result;
        using (var from = File.OpenHandle(source))
        using (var to = File.OpenHandle(target, FileMode.CreateNew, FileAccess.Write))
        {
            result = ioctl(to, FileClone, from);
        }

        if (result != 0)
        {
            File.Delete(target);
        }

        return result == 0;
    }

    /// <summary>Gives a file a second name.</summary>
    /// <returns>False where it cannot be done: nothing was created then.</returns>
    public static bool TryHardLink(string source, string target) =>
        OperatingSystem.IsWindows() ? CreateHardLinkW(target, source, 0) : link(source, target) == 0;

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int clonefile(string source, string target, uint flags);

    [LibraryImport("libc")]
    private static partial int ioctl(SafeFileHandle target, nuint request, SafeFileHandle source);

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int link(string source, string target);

    [LibraryImport("kernel32", StringMarshalling = StringMarshalling.Utf16)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static partial bool CreateHardLinkW(string target, string source, nint security);
}
