using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;

namespace Build.ML.Graph.Onnx;

/// <summary>
/// Reads a model: bytes to graph in one pass over the headers, payloads of weights left where they are; then names to values. What
/// cannot be decoded ends the reading; what is wrong in itself (names, tensors, attributes) is collected and reported together.
/// </summary>
internal sealed partial class OnnxReader
{
    private const int MaxErrors = 100;

    private readonly ByteSource _source;
    private readonly WireReader _reader;
    private readonly string _file;
    private readonly ExternalFiles _external;
    private readonly List<Diagnostic> _errors = [];

    /// <summary>A reader of one model.</summary>
    /// <param name="source">The bytes.</param>
    /// <param name="file">How messages name the source.</param>
    /// <param name="external">Where external data is.</param>
    public OnnxReader(ByteSource source, string file, ExternalFiles external)
    {
        _source = source;
        _file = file;
        _external = external;
        _reader = new WireReader(source, file, 0, source.Length);
    }

    /// <summary>Reads all of it into a new model.</summary>
    /// <exception cref="DiagnosticException">Everything wrong that was found.</exception>
    public void Read(Model model)
    {
        try
        {
            ReadModel(model);
            ResolveNames();
        }
        catch (DiagnosticException e) when (_errors.Count > 0)
        {
            throw new DiagnosticException([.. _errors, .. e.Diagnostics]);
        }

        if (_errors.Count > 0)
        {
            throw new DiagnosticException(_errors);
        }
    }

    private void ReadModel(Model model)
    {
        var origin = model.Origin = new MessageOrigin();
        var hasGraph = false;
        var functions = 0;
        while (_reader.Next())
        {
            origin.Saw(_reader.Field);
            switch (_reader.Field)
            {
                case ModelField.IrVersion:
                    model.IrVersion = _reader.ReadInt64();
                    break;
                case ModelField.ProducerName:
                    model.ProducerName = _reader.ReadString();
                    break;
                case ModelField.ProducerVersion:
                    model.ProducerVersion = _reader.ReadString();
                    break;
                case ModelField.Domain:
                    model.Domain = _reader.ReadString();
                    break;
                case ModelField.ModelVersion:
                    model.ModelVersion = _reader.ReadInt64();
                    break;
                case ModelField.DocString:
                    model.DocString = _reader.ReadString();
                    break;
                case ModelField.Graph when hasGraph:
                    throw _reader.Malformed("a second graph begins; a model has one");
                case ModelField.Graph:
                    hasGraph = true;
                    ReadGraph(model.Graph, -1);
                    break;
                case ModelField.OpsetImport:
                    ReadOperatorSet(model.OperatorSets);
                    break;
                case ModelField.MetadataProps:
                    ReadEntry(model.Metadata, origin);
                    break;
                case ModelField.TrainingInfo:
                    model.TrainingInfo.Add(_reader.ReadBytes());
                    break;
                case ModelField.Functions:
                    model.Functions.Add(ReadFunction(functions++));
                    break;
                default:
                    _reader.KeepUnknown(origin);
                    break;
            }
        }

        if (!hasGraph)
        {
            throw new DiagnosticException("BML2004", "The file holds no graph: it is empty, truncated, or no ONNX model.", new(_file));
        }
    }

    private Function ReadFunction(int index)
    {
        var origin = new MessageOrigin();
        var function = new Function("", "") { Origin = origin };
        var body = function.Body;
        body.Origin = new GraphOrigin(origin);
        var outputs = new List<string>();
        var outer = _reader.Enter("function", function, index);
        var nodes = 0;
        while (_reader.Next())
        {
            origin.Saw(_reader.Field);
            switch (_reader.Field)
            {
                case FunctionField.Name:
                    function.Name = _reader.ReadString();
                    break;
                case FunctionField.Domain:
                    function.Domain = _reader.ReadString();
                    break;
                case FunctionField.Overload:
                    function.Overload = _reader.ReadString();
                    break;
                case FunctionField.DocString:
                    function.DocString = _reader.ReadString();
                    break;
                case FunctionField.Input:
                    Input(body, _reader.ReadString());
                    break;
                case FunctionField.Output:
                    outputs.Add(_reader.ReadString());
                    break;
                case FunctionField.Attribute:
                    function.RequiredAttributes.Add(_reader.ReadString());
                    break;
                case FunctionField.AttributeProto:
                    function.DefaultAttributes.Add(ReadAttribute());
                    break;
                case FunctionField.Node:
                    ReadNode(body, nodes++);
                    break;
                case FunctionField.OpsetImport:
                    ReadOperatorSet(function.OperatorSets);
                    break;
                case FunctionField.ValueInfo:
                    body.Origin.ValueInfos.Add(ReadValueInfo("value_info"));
                    break;
                case FunctionField.MetadataProps:
                    ReadEntry(function.Metadata, origin);
                    break;
                default:
                    _reader.KeepUnknown(origin);
                    break;
            }
        }

        body.Name = function.Name;
        _pendingGraphs.Add(new(body, [.. outputs.Select(o => new ValueRecord { Name = o })], $"{_reader.Place}"));
        _reader.Leave(outer);
        return function;
    }

    private void ReadOperatorSet(OperatorSets sets)
    {
        var (domain, version) = ("", 0L);
        var origin = new MessageOrigin();
        var outer = _reader.Enter("opset_import");
        while (_reader.Next())
        {
            origin.Saw(_reader.Field);
            switch (_reader.Field)
            {
                case OperatorSetField.Domain:
                    domain = _reader.ReadString();
                    break;
                case OperatorSetField.Version:
                    version = _reader.ReadInt64();
                    break;
                default:
                    _reader.KeepUnknown(origin);
                    break;
            }
        }

        _reader.Leave(outer);
        sets.AddRead(domain, version, origin);
    }

    private void ReadEntry(IList<KeyValuePair<string, string>> entries, MessageOrigin parent)
    {
        var field = _reader.Field;
        var (entry, isOdd, bytes) = ReadEntry();
        if (isOdd)
        {
            parent.KeepOdd(field, entry, bytes());
        }

        entries.Add(entry);
    }

    private (KeyValuePair<string, string> Entry, bool IsOdd, Func<byte[]> Bytes) ReadEntry()
    {
        var (key, value, seen, isOdd) = ("", "", 0, false);
        var outer = _reader.Enter("entry");
        var start = _reader.Position;
        while (_reader.Next())
        {
            switch (_reader.Field)
            {
                case EntryField.Key:
                    key = _reader.ReadString();
                    isOdd |= seen != 0;
                    seen |= 1;
                    break;
                case EntryField.Value:
                    value = _reader.ReadString();
                    isOdd |= seen != 1;
                    seen |= 2;
                    break;
                default:
                    _reader.SkipValue();
                    isOdd = true;
                    break;
            }
        }

        _reader.Leave(outer);
        return (new(key, value), isOdd || seen != 3, () => _reader.Since(start));
    }

    private void Report(string code, string message)
    {
        if (_errors.Count == MaxErrors)
        {
            throw new DiagnosticException("BML2029", $"More than {MaxErrors} errors; the rest is not looked at.", new(_file));
        }

        _errors.Add(new Diagnostic(code, message, new(_file)));
    }
}
