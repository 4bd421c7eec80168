using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Build.ML.Graph.Tensors;

/// <summary>Copies between files inside the kernel, where it can: Linux, <c>copy_file_range(2)</c>, as cp does.</summary>
internal static partial class KernelCopy
{
    private const long Piece = 64 << 20; // between two looks at a cancellation

    /// <summary>Copies some bytes.</summary>
    /// <returns>Bytes copied; 0 where this way is not open, and another must be taken.</returns>
    public static long TryCopy(SafeFileHandle source, long sourceOffset, SafeFileHandle destination, long destinationOffset, long length)
    {
        if (!OperatingSystem.IsLinux())
        {
            return 0;
        }

        try
        {
            return Math.Max(0, (long)CopyFileRange(source, ref sourceOffset, destination, ref destinationOffset, (nuint)Math.Min(length, Piece), 0));
        }
        catch (EntryPointNotFoundException)
        {
            return 0; // a C library older than the call
        }
    }

    [LibraryImport("libc", EntryPoint = "copy_file_range", SetLastError = true)]
    private static partial nint CopyFileRange(
        SafeFileHandle source, ref long sourceOffset, SafeFileHandle destination, ref long destinationOffset, nuint length, uint flags);
}
