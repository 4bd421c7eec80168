using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Build.ML.Graph;
using Build.ML.Graph.Catalogs;
using Microsoft.ML.OnnxRuntime;

namespace Build.ML.OnnxRuntime.Kernels;

/// <summary>The kernels as one session sees them: an operator domain of the runtime's C interface whose functions are C# methods. Must outlive the session.</summary>
internal sealed unsafe class KernelDomain : IDisposable
{
    /// <summary>Name of the operator domain.</summary>
    public const string Name = "com.buildml";

    private static readonly Lazy<Catalog<RuntimeKernel>> LazyCatalog = new(() => Catalog<RuntimeKernel>.Scan(typeof(KernelDomain).Assembly));
    private readonly ScratchPool _scratch = new();
    private readonly List<nint> _memory = [];
    private readonly List<GCHandle> _handles = [];
    private readonly nint _domain;

    private KernelDomain()
    {
        _domain = KernelApi.CreateDomain(Text(Name));
        foreach (var entry in LazyCatalog.Value)
        {
            var factory = new Factory(entry, entry.Create(), _scratch);
            KernelApi.AddOperator(_domain, Operator(factory, Text(entry.Name)));
        }
    }

    /// <summary>Operators of <see cref="Name"/> that sessions on this machine have.</summary>
    public static ImmutableHashSet<string> Operators => RuntimeKernel.IsSupported ? [.. LazyCatalog.Value.Names] : [];

    /// <summary>Adds the kernels to a session's options when its model uses the domain, else does nothing and returns null.</summary>
    public static KernelDomain? AddTo(SessionOptions options, Model model)
    {
        if (model.OperatorSets[Name] == 0)
        {
            return null;
        }

        var domain = new KernelDomain();
        KernelApi.AddDomain(options.DangerousGetHandle(), domain._domain);
        return domain;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        KernelApi.ReleaseDomain(_domain);
        _handles.ForEach(h => h.Free());
        _memory.ForEach(Marshal.FreeCoTaskMem);
        _scratch.Dispose();
    }

    private nint Text(string text)
    {
        _memory.Add(Marshal.StringToCoTaskMemUTF8(text));
        return _memory[^1];
    }

    private nint Operator(Factory factory, nint name)
    {
        var handle = GCHandle.Alloc(factory);
        _handles.Add(handle);
        var op = (CustomOp*)Marshal.AllocCoTaskMem(sizeof(CustomOp));
        _memory.Add((nint)op);
        *op = new CustomOp
        {
            Version = CustomOp.InterfaceVersion,
            GetName = &CustomOp.NameOf,
            GetExecutionProviderType = &CustomOp.ProviderOf,
            GetInputType = &CustomOp.TypeOf,
            GetInputTypeCount = &CustomOp.InputsOf,
            GetOutputType = &CustomOp.TypeOf,
            GetOutputTypeCount = &CustomOp.OutputsOf,
            KernelDestroy = &CustomOp.Destroy,
            GetInputCharacteristic = &CustomOp.InputKindOf,
            GetOutputCharacteristic = &CustomOp.OutputKindOf,
            GetInputMemoryType = &CustomOp.MemoryOf,
            CreateKernel = &CustomOp.Create,
            KernelCompute = &CustomOp.Compute,
            OperatorName = name,
            Inputs = factory.Prototype.Inputs,
            OptionalInputs = factory.Prototype.OptionalInputs,
            Outputs = factory.Prototype.Outputs,
            Factory = GCHandle.ToIntPtr(handle),
        };
        return (nint)op;
    }

    /// <summary>Makes the nodes' kernels.</summary>
    private sealed record Factory(CatalogEntry<RuntimeKernel> Entry, RuntimeKernel Prototype, ScratchPool Scratch);

    private sealed record Instance(RuntimeKernel Kernel, ScratchPool Scratch);

    /// <summary>OrtCustomOp of version 16, which the runtime reads, and behind it what the functions need.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct CustomOp
    {
        public const uint InterfaceVersion = 16;

        public uint Version;
        public nint CreateKernelOld;
        public delegate* unmanaged<CustomOp*, nint> GetName;
        public delegate* unmanaged<CustomOp*, nint> GetExecutionProviderType;
        public delegate* unmanaged<CustomOp*, nuint, int> GetInputType;
        public delegate* unmanaged<CustomOp*, nuint> GetInputTypeCount;
        public delegate* unmanaged<CustomOp*, nuint, int> GetOutputType;
        public delegate* unmanaged<CustomOp*, nuint> GetOutputTypeCount;
        public nint KernelComputeOld;
        public delegate* unmanaged<nint, void> KernelDestroy;
        public delegate* unmanaged<CustomOp*, nuint, int> GetInputCharacteristic;
        public delegate* unmanaged<CustomOp*, nuint, int> GetOutputCharacteristic;
        public delegate* unmanaged<CustomOp*, nuint, int> GetInputMemoryType;
        public nint VariadicInputMinimum;
        public nint VariadicInputHomogeneity;
        public nint VariadicOutputMinimum;
        public nint VariadicOutputHomogeneity;
        public delegate* unmanaged<CustomOp*, nint, nint, nint*, nint> CreateKernel;
        public delegate* unmanaged<nint, nint, nint> KernelCompute;
        public Reserved Later; // members of later versions of the interface
        public nint OperatorName;
        public int Inputs;
        public int OptionalInputs;
        public int Outputs;
        public nint Factory;

        [UnmanagedCallersOnly]
        public static nint NameOf(CustomOp* op) => op->OperatorName;

        [UnmanagedCallersOnly]
        public static nint ProviderOf(CustomOp* op) => 0; // the CPU

        [UnmanagedCallersOnly]
        public static int TypeOf(CustomOp* op, nuint index) => (int)DataType.Float;

        [UnmanagedCallersOnly]
        public static nuint InputsOf(CustomOp* op) => (nuint)(op->Inputs + op->OptionalInputs);

        [UnmanagedCallersOnly]
        public static nuint OutputsOf(CustomOp* op) => (nuint)op->Outputs;

        [UnmanagedCallersOnly]
        public static int InputKindOf(CustomOp* op, nuint index) => (int)index < op->Inputs ? 0 : 1; // required, optional

        [UnmanagedCallersOnly]
        public static int OutputKindOf(CustomOp* op, nuint index) => 0;

        [UnmanagedCallersOnly]
        public static int MemoryOf(CustomOp* op, nuint index) => 0;

        [UnmanagedCallersOnly]
        public static nint Create(CustomOp* op, nint api, nint info, nint* kernel)
        {
            try
            {
                var factory = (Factory)GCHandle.FromIntPtr(op->Factory).Target!;
                var instance = new Instance(factory.Entry.Create(), factory.Scratch);
                instance.Kernel.Initialize(new KernelAttributes(info));
                *kernel = GCHandle.ToIntPtr(GCHandle.Alloc(instance));
                return 0;
            }
            catch (Exception e)
            {
                return KernelApi.CreateStatus(e.ToString());
            }
        }

        [UnmanagedCallersOnly]
        public static void Destroy(nint kernel) => GCHandle.FromIntPtr(kernel).Free();

        [UnmanagedCallersOnly]
        public static nint Compute(nint kernel, nint context)
        {
            try
            {
                var instance = (Instance)GCHandle.FromIntPtr(kernel).Target!;
                instance.Kernel.Run(new KernelCall(context, instance.Scratch));
                return 0;
            }
            catch (Exception e)
            {
                return KernelApi.CreateStatus(e.ToString());
            }
        }

        [InlineArray(8)]
        public struct Reserved
        {
            private nint _first;
        }
    }
}
