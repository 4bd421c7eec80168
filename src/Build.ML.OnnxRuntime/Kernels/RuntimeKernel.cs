using System.Runtime.Intrinsics.X86;
using Build.ML.Graph.Catalogs;

namespace Build.ML.OnnxRuntime.Kernels;

/// <summary>Names a kernel: the operator type in the domain <see cref="KernelDomain.Name"/>.</summary>
/// <param name="name">Operator type.</param>
[AttributeUsage(AttributeTargets.Class, Inherited = false)]
internal sealed class RuntimeKernelAttribute(string name) : CatalogAttribute(name)
{
    /// <inheritdoc/>
    public override Type EntryType => typeof(RuntimeKernel);
}

/// <summary>
/// An operator of the domain <see cref="KernelDomain.Name"/> written in C#, which sessions run beside the runtime's own. A sealed class with <see cref="RuntimeKernelAttribute"/> adds
/// one. Inputs and outputs are float. An object is one node of one session.
/// </summary>
/// <remarks>
/// Results must not depend on the number of threads or on the width of the machine's vectors: sums are taken in an order that the shapes decide, over 16 lanes where there are lanes,
/// with fused multiply-add throughout.
/// </remarks>
internal abstract class RuntimeKernel
{
    /// <summary>Whether this machine has what the kernels are written for: 256-bit vectors with fused multiply-add. Elsewhere models are to use the runtime's own operators.</summary>
    public static bool IsSupported => Avx2.IsSupported && Fma.IsSupported;

    /// <summary>Inputs that must be there.</summary>
    public abstract int Inputs { get; }

    /// <summary>Inputs behind these that may be left out.</summary>
    public virtual int OptionalInputs => 0;

    /// <summary>Outputs, all written.</summary>
    public virtual int Outputs => 1;

    /// <summary>Reads the node's attributes.</summary>
    public virtual void Initialize(KernelAttributes attributes)
    {
    }

    /// <summary>Computes the outputs.</summary>
    public abstract void Run(KernelCall call);
}
