using System.Runtime.InteropServices;

namespace Build.ML.OnnxRuntime.Kernels;

/// <summary>
/// The part of the runtime's C interface that custom operators need and its C# interface lacks. Numbers are positions in the structure OrtApi, which only ever grows at the end, as
/// declared in onnxruntime_c_api.h of version 1.29; <see cref="Version"/> is the oldest version that has them all.
/// </summary>
internal static unsafe class KernelApi
{
    /// <summary>Version of the interface that is asked for: ONNX Runtime 1.22 and later have it.</summary>
    public const uint Version = 22;

    private const int CreateStatusSlot = 0;
    private const int GetErrorMessageSlot = 2;
    private const int CreateCustomOpDomainSlot = 26;
    private const int CustomOpDomainAddSlot = 27;
    private const int AddCustomOpDomainSlot = 28;
    private const int GetTensorMutableDataSlot = 51;
    private const int GetDimensionsCountSlot = 61;
    private const int GetDimensionsSlot = 62;
    private const int GetTensorTypeAndShapeSlot = 65;
    private const int KernelInfoGetAttributeFloatSlot = 85;
    private const int KernelInfoGetAttributeInt64Slot = 86;
    private const int KernelContextGetInputSlot = 90;
    private const int KernelContextGetOutputSlot = 91;
    private const int ReleaseStatusSlot = 93;
    private const int ReleaseTensorTypeAndShapeInfoSlot = 99;
    private const int ReleaseCustomOpDomainSlot = 101;
    private const int KernelInfoGetAttributeArrayInt64Slot = 163;
    private const int KernelContextParallelForSlot = 274;

    private static readonly void** Table = Load();

    public static nint CreateStatus(string message)
    {
        var text = Marshal.StringToCoTaskMemUTF8(message);
        var status = ((delegate* unmanaged<int, nint, nint>)Table[CreateStatusSlot])(1 /* ORT_FAIL */, text);
        Marshal.FreeCoTaskMem(text);
        return status;
    }

    public static nint CreateDomain(nint name)
    {
        nint domain;
        Check(((delegate* unmanaged<nint, nint*, nint>)Table[CreateCustomOpDomainSlot])(name, &domain));
        return domain;
    }

    public static void AddOperator(nint domain, nint op) => Check(((delegate* unmanaged<nint, nint, nint>)Table[CustomOpDomainAddSlot])(domain, op));

    public static void AddDomain(nint options, nint domain) => Check(((delegate* unmanaged<nint, nint, nint>)Table[AddCustomOpDomainSlot])(options, domain));

    public static void ReleaseDomain(nint domain) => ((delegate* unmanaged<nint, void>)Table[ReleaseCustomOpDomainSlot])(domain);

    public static nint Input(nint context, int index)
    {
        nint value;
        Check(((delegate* unmanaged<nint, nuint, nint*, nint>)Table[KernelContextGetInputSlot])(context, (nuint)index, &value));
        return value;
    }

    public static nint Output(nint context, int index, ReadOnlySpan<long> sizes)
    {
        nint value;
        fixed (long* start = sizes)
        {
            Check(((delegate* unmanaged<nint, nuint, long*, nuint, nint*, nint>)Table[KernelContextGetOutputSlot])(context, (nuint)index, start, (nuint)sizes.Length, &value));
        }

        return value;
    }

    public static float* Data(nint value)
    {
        void* data;
        Check(((delegate* unmanaged<nint, void**, nint>)Table[GetTensorMutableDataSlot])(value, &data));
        return (float*)data;
    }

    public static int Sizes(nint value, Span<long> sizes)
    {
        nint info;
        Check(((delegate* unmanaged<nint, nint*, nint>)Table[GetTensorTypeAndShapeSlot])(value, &info));
        try
        {
            nuint rank;
            Check(((delegate* unmanaged<nint, nuint*, nint>)Table[GetDimensionsCountSlot])(info, &rank));
            if ((int)rank > sizes.Length)
            {
                throw new InvalidOperationException($"A tensor has {rank} axes; kernels take at most {sizes.Length}.");
            }

            fixed (long* start = sizes)
            {
                Check(((delegate* unmanaged<nint, long*, nuint, nint>)Table[GetDimensionsSlot])(info, start, rank));
            }

            return (int)rank;
        }
        finally
        {
            ((delegate* unmanaged<nint, void>)Table[ReleaseTensorTypeAndShapeInfoSlot])(info);
        }
    }

    public static bool TryGet(nint info, nint name, out long number)
    {
        long value;
        var found = Succeeds(((delegate* unmanaged<nint, nint, long*, nint>)Table[KernelInfoGetAttributeInt64Slot])(info, name, &value));
        number = value;
        return found;
    }

    public static bool TryGet(nint info, nint name, out float number)
    {
        float value;
        var found = Succeeds(((delegate* unmanaged<nint, nint, float*, nint>)Table[KernelInfoGetAttributeFloatSlot])(info, name, &value));
        number = value;
        return found;
    }

    public static bool TryGet(nint info, nint name, out long[] numbers)
    {
        var get = (delegate* unmanaged<nint, nint, long*, nuint*, nint>)Table[KernelInfoGetAttributeArrayInt64Slot];
        nuint count = 0;
        numbers = [];
        if (!Succeeds(get(info, name, null, &count)))
        {
            return false;
        }

        numbers = new long[(int)count];
        fixed (long* start = numbers)
        {
            return Succeeds(get(info, name, start, &count));
        }
    }

    public static void ParallelFor(nint context, delegate* unmanaged<nint, nuint, void> body, int count, nint data) =>
        Check(((delegate* unmanaged<nint, delegate* unmanaged<nint, nuint, void>, nuint, nuint, nint, nint>)Table[KernelContextParallelForSlot])(
            context, body, (nuint)count, 0, data));

    private static bool Succeeds(nint status)
    {
        if (status != 0)
        {
            ((delegate* unmanaged<nint, void>)Table[ReleaseStatusSlot])(status);
        }

        return status == 0;
    }

    private static void Check(nint status)
    {
        if (status != 0)
        {
            var message = Marshal.PtrToStringUTF8(((delegate* unmanaged<nint, nint>)Table[GetErrorMessageSlot])(status));
            Succeeds(status);
            throw new InvalidOperationException($"ONNX Runtime says: {message}");
        }
    }

    private static void** Load()
    {
        _ = RuntimeEnvironment.Version; // which loads the library
        var handle = NativeLibrary.Load("onnxruntime", typeof(Microsoft.ML.OnnxRuntime.InferenceSession).Assembly, null);
        var apiBase = ((delegate* unmanaged<void**>)NativeLibrary.GetExport(handle, "OrtGetApiBase"))();
        var table = ((delegate* unmanaged<uint, void*>)apiBase[0])(Version);
        return table is not null ? (void**)table : throw new NotSupportedException($"ONNX Runtime {RuntimeEnvironment.Version} lacks version {Version} of its C interface.");
    }
}
