namespace Build.ML.Graph.Text;

/// <summary>What stands in angle brackets before a model or a function: <c>&lt;ir_version: 10, opset_import: ["": 21]&gt;</c>.</summary>
sealed class TextHeader
{
    /// <summary><c>ir_version</c>, or null when left out.</summary>
    public long? IrVersion { get; private set; }

    /// <summary><c>producer_name</c>.</summary>
    public string Producer { get; private set; } = "";

    /// <summary><c>domain</c>, of a function.</summary>
    public string Domain { get; private set; } = "";

    /// <summary><c>opset_import</c>, or null when left out.</summary>
    public IReadOnlyList<KeyValuePair<string, long>>? Sets { get; private set; }

    /// <summary>Reads the header, brackets included.</summary>
    public static TextHeader Read(TextLexer lexer, TextLiterals literals)
    {
        var header = new TextHeader();
        lexer.Expect("<");
        while (!lexer.TryTake(">"))
        {
            var key = lexer.Current;
            lexer.ExpectName("a key such as ir_version");
            lexer.Expect(":");
            switch (key.Text)
            {
                case "ir_version":
                    header.IrVersion = literals.Integer();
                    break;
                case "producer_name":
                    header.Producer = lexer.ExpectName("a name");
                    break;
                case "domain":
                    header.Domain = lexer.ExpectName("a domain");
                    break;
                case "opset_import":
                    header.Sets = ReadSets(lexer, literals);
                    break;
                default:
                    throw lexer.Error($"'{key.Text}' is no key here; known: ir_version, opset_import, producer_name, domain.", key);
            }

            if (!lexer.Is(">"))
            {
                lexer.Expect(",");
            }
        }

        return header;
    }

    private static List<KeyValuePair<string, long>> ReadSets(TextLexer lexer, TextLiterals literals)
    {
        var sets = new List<KeyValuePair<string, long>>();
        lexer.Expect("[");
        while (!lexer.TryTake("]"))
        {
            var domain = lexer.ExpectName("a domain");
            lexer.Expect(":");
            sets.Add(new(domain, literals.Integer()));
            if (!lexer.Is("]"))
            {
                lexer.Expect(",");
            }
        }

        return sets;
    }
}
