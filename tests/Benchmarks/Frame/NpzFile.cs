using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text;

namespace Build.ML.Benchmarks.Frame;

/// <summary>Writes NumPy arrays: format version 1, one file an array, in a zip.</summary>
internal static class NpzFile
{
    /// <summary>Writes arrays.</summary>
    /// <param name="path">Of the .npz file.</param>
    /// <param name="arrays">Name, elements (float or long) and sizes; the first size counts the samples.</param>
    public static void Write(string path, params ReadOnlySpan<(string Name, Array Elements, long[] Sizes)> arrays)
    {
        using var zip = new ZipArchive(File.Create(path), ZipArchiveMode.Create);
        foreach (var (name, elements, sizes) in arrays)
        {
            using var entry = zip.CreateEntry(name + ".npy", CompressionLevel.NoCompression).Open();
            var type = elements is float[]? "<f4" : "<i8";
            var header = $"{{'descr': '{type}', 'fortran_order': False, 'shape': ({string.Join(", ", sizes)}{(sizes.Length == 1 ? "," : "")}), }}";
            header = header.PadRight((header.Length + 10 + 64) / 64 * 64 - 10 - 1) + "\n";
            entry.Write([0x93, .. "NUMPY"u8, 1, 0, (byte)(header.Length & 255), (byte)(header.Length >> 8), .. Encoding.ASCII.GetBytes(header)]);
            entry.Write(elements is float[] floats ? MemoryMarshal.AsBytes(floats.AsSpan()) : MemoryMarshal.AsBytes(((long[])elements).AsSpan()));
        }
    }
}
