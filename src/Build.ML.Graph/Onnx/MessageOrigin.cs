using System.Buffers;

namespace Build.ML.Graph.Onnx;

/// <summary>
/// How a file encoded one message: which fields it wrote although they hold the default, which lists it packed, and what this version
/// does not know. Makes an unchanged message come out byte for byte; a message made here has none, and is written in the usual way.
/// </summary>
internal sealed class MessageOrigin
{
    private ulong _present;
    private ulong _packed;
    private ArrayBufferWriter<byte>? _unknown;
    private Dictionary<(int Field, object Value), byte[]>? _odd;

    /// <summary>Fields this version does not know, with their tags, in file order.</summary>
    public ReadOnlySpan<byte> Unknown => _unknown is null ? default : _unknown.WrittenSpan;

    /// <summary>A node that writes the domain <c>ai.onnx</c> instead of leaving it out.</summary>
    public bool DomainSpelledOut { get; set; }

    /// <summary>Whether the file had the field.</summary>
    public bool Has(int field) => (_present >> field & 1) != 0;

    /// <summary>Whether the file packed the list of that field.</summary>
    public bool IsPacked(int field) => (_packed >> field & 1) != 0;

    /// <summary>The file has the field.</summary>
    public void Saw(int field) => _present |= field < 64 ? 1ul << field : 0;

    /// <summary>The file packs the list of the field.</summary>
    public void SawPacked(int field) => _packed |= 1ul << field;

    /// <summary>Remembers a small submessage that the writer would encode otherwise.</summary>
    public void KeepOdd(int field, object value, byte[] bytes) => (_odd ??= [])[(field, value)] = bytes;

    /// <summary>The original bytes of a small submessage, or null when the usual encoding serves.</summary>
    public byte[]? Odd(int field, object value) => _odd?.GetValueOrDefault((field, value));

    /// <summary>Appends the field just read to <see cref="Unknown"/>.</summary>
    public void KeepUnknown(ReadOnlySpan<byte> field) => (_unknown ??= new()).Write(field);
}
