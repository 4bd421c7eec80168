using System.Runtime.InteropServices;

namespace Build.ML.Graph.Tensors;

/// <summary>
/// Elements of a tensor held readable until disposed: <c>using var weights = tensor.Read&lt;float&gt;();</c>. Spans taken
/// from it must not be used after that.
/// </summary>
/// <typeparam name="T">CLR type of the elements, or <see cref="byte"/> for the packed bytes of any type.</typeparam>
public readonly ref struct TensorView<T>
    where T : unmanaged
{
    private readonly ContentView _view;

    internal TensorView(ContentView view, long byteLength)
    {
        _view = view;
        Span = MemoryMarshal.Cast<byte, T>(view.Slice(0, checked((int)byteLength)));
    }

    /// <summary>All elements, row-major.</summary>
    public ReadOnlySpan<T> Span { get; }

    /// <summary>Gives the memory back.</summary>
    public void Dispose() => _view.Dispose();
}
