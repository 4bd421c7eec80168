using System.Runtime.InteropServices;

namespace Build.ML.OnnxRuntime.Kernels;

/// <summary>The attributes of a kernel's node.</summary>
/// <param name="info">The runtime's description of the node.</param>
internal readonly ref struct KernelAttributes(nint info)
{
    /// <summary>A whole number.</summary>
    public long Int(string name, long otherwise)
    {
        using var text = new Text(name);
        return KernelApi.TryGet(info, text.Address, out long value) ? value : otherwise;
    }

    /// <summary>A number.</summary>
    public float Float(string name, float otherwise)
    {
        using var text = new Text(name);
        return KernelApi.TryGet(info, text.Address, out float value) ? value : otherwise;
    }

    /// <summary>Whole numbers, as many as <paramref name="otherwise"/> has.</summary>
    public int[] Ints(string name, params int[] otherwise)
    {
        using var text = new Text(name);
        return KernelApi.TryGet(info, text.Address, out long[] values) && values.Length == otherwise.Length ? Array.ConvertAll(values, v => checked((int)v)) : otherwise;
    }

    private readonly ref struct Text(string text)
    {
        public nint Address { get; } = Marshal.StringToCoTaskMemUTF8(text);

        public void Dispose() => Marshal.FreeCoTaskMem(Address);
    }
}
