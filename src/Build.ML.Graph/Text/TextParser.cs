using Build.ML.Graph.Ir;

namespace Build.ML.Graph.Text;

/// <summary>Reads the text form, see <see cref="ModelText"/>.</summary>
sealed class TextParser(TextLexer lexer)
{
    /// <summary>Graphs around the place being read, innermost last: where names are looked up.</summary>
    private readonly List<OnnxGraph> _scopes = [];
    private readonly TextLiterals _literals = new(lexer);

    public Model ParseModel()
    {
        var header = lexer.Is("<") ? TextHeader.Read(lexer, _literals) : new TextHeader();
        var name = lexer.ExpectName("the graph's name");
        var model = new Model(new OnnxGraph(name), 0)
        {
            IrVersion = header.IrVersion ?? 10,
            ProducerName = header.Producer,
        };
        foreach (var (domain, version) in header.Sets ?? [new("", 21)])
        {
            model.OperatorSets.Add(domain, version);
        }

        Graph(model.Graph);
        while (lexer.Current.Kind != TokenKind.End)
        {
            model.Functions.Add(Function());
        }

        return model;
    }

    private Function Function()
    {
        var header = TextHeader.Read(lexer, _literals);
        var function = new Function(header.Domain, lexer.ExpectName("the function's name"));
        foreach (var (domain, version) in header.Sets ?? [])
        {
            function.OperatorSets.Add(domain, version);
        }

        if (lexer.TryTake("<"))
        {
            while (!lexer.TryTake(">"))
            {
                var name = lexer.ExpectName("an attribute");
                if (lexer.Is("=") || lexer.Is(":"))
                {
                    function.DefaultAttributes.Add(Attribute(name));
                }
                else
                {
                    function.RequiredAttributes.Add(name);
                }

                if (!lexer.Is(">"))
                {
                    lexer.Expect(",");
                }
            }
        }

        Graph(function.Body);
        return function;
    }

    /// <summary>Everything of a graph after its name.</summary>
    private void Graph(OnnxGraph graph)
    {
        _scopes.Add(graph);
        List(() =>
        {
            var (type, name, at) = Declaration();
            Unused(graph, name, at);
            graph.AddInput(name, type);
        });
        lexer.Expect("=>");
        var outputs = new List<(OnnxType? Type, string Name, Token At)>();
        List(() => outputs.Add(Declaration()));
        if (lexer.TryTake("<"))
        {
            while (!lexer.TryTake(">"))
            {
                Initializer(graph);
                if (!lexer.Is(">"))
                {
                    lexer.Expect(",");
                }
            }
        }

        lexer.Expect("{");
        while (!lexer.TryTake("}"))
        {
            Node(graph);
        }

        foreach (var (type, name, at) in outputs)
        {
            var value = Find(name) ?? throw lexer.Error($"Nothing makes the output '{name}'.", at);
            value.Type ??= type;
            graph.AddOutput(value);
        }

        _scopes.RemoveAt(_scopes.Count - 1);
    }

    private void List(Action item)
    {
        lexer.Expect("(");
        while (!lexer.TryTake(")"))
        {
            item();
            if (!lexer.Is(")"))
            {
                lexer.Expect(",");
            }
        }
    }

    private (OnnxType? Type, string Name, Token At) Declaration()
    {
        var at = lexer.Current;
        if (at.Kind == TokenKind.Name && TextLiterals.IsTypeName(at.Text))
        {
            var type = _literals.Type();
            at = lexer.Current;
            return (type, lexer.ExpectName("a name after the type"), at);
        }

        return (null, lexer.ExpectName("a type or a name"), at);
    }

    private void Initializer(OnnxGraph graph)
    {
        var (type, name, at) = Declaration();
        lexer.Expect("=");
        var tensor = _literals.Elements(type as TensorType ?? throw lexer.Error($"'{name}' needs a tensor type with sizes before it.", at), at);
        if (graph.Inputs.FirstOrDefault(i => i.Name == name) is { } input)
        {
            graph.SetInitializer(input, tensor);
            return;
        }

        Unused(graph, name, at);
        graph.AddInitializer(name, tensor);
    }

    private void Node(OnnxGraph graph)
    {
        string? label = null;
        if (lexer.TryTake("["))
        {
            label = lexer.ExpectName("the node's name");
            lexer.Expect("]");
        }

        var outputs = new List<Token>();
        while (!lexer.Is("="))
        {
            outputs.Add(lexer.Current);
            lexer.ExpectName("an output");
            if (!lexer.Is("="))
            {
                lexer.Expect(",");
            }
        }

        lexer.Expect("=");
        var op = lexer.ExpectName("an operator");
        var dot = op.LastIndexOf('.');
        var node = graph.CreateNode(op[(dot + 1)..], dot < 0 ? "" : op[..dot]);
        if (lexer.TryTake("<"))
        {
            while (!lexer.TryTake(">"))
            {
                node.SetAttribute(Attribute(lexer.ExpectName("an attribute")));
                if (!lexer.Is(">"))
                {
                    lexer.Expect(",");
                }
            }
        }

        node.SetInputs([.. Inputs()]);
        foreach (var output in outputs)
        {
            Unused(graph, output.Text, output);
            node.AddOutput(output.Text);
        }

        node.Name = label ?? (outputs.Count > 0 ? outputs[0].Text : "");
        graph.InsertBefore(null, node);
    }

    private List<Value?> Inputs()
    {
        var inputs = new List<Value?>();
        lexer.Expect("(");
        while (!lexer.TryTake(")"))
        {
            if (lexer.Is(","))
            {
                inputs.Add(null);
            }
            else
            {
                var at = lexer.Current;
                var name = lexer.ExpectName("an input");
                inputs.Add(Find(name) ?? throw lexer.Error($"'{name}' is read before anything makes it.", at));
            }

            if (!lexer.Is(")"))
            {
                lexer.Expect(",");
                if (lexer.Is(")"))
                {
                    inputs.Add(null); // "(x, )": the last one is left out
                }
            }
        }

        return inputs;
    }

    private NodeAttribute Attribute(string name)
    {
        var kind = AttributeKind.Undefined;
        if (lexer.TryTake(":"))
        {
            var at = lexer.Current;
            var text = lexer.ExpectName("a kind such as ints");
            if (!Enum.TryParse(text, ignoreCase: true, out kind))
            {
                throw lexer.Error($"'{text}' is no kind of attribute; known: int, ints, float, floats, string, strings, tensor, graph.", at);
            }
        }

        lexer.Expect("=");
        if (lexer.TryTake("@"))
        {
            return new NodeAttribute(name, kind, null) { ReferenceName = lexer.ExpectName("the function's attribute") };
        }

        if (_literals.TryAttribute(name, kind) is { } attribute)
        {
            return attribute;
        }

        // What is left is a subgraph: its name, then as the main graph.
        var graph = new OnnxGraph(lexer.ExpectName("a value or a graph"));
        Graph(graph);
        return NodeAttribute.Graph(name, graph);
    }

    private Value? Find(string name)
    {
        for (var i = _scopes.Count - 1; i >= 0; i--)
        {
            if (_scopes[i].Find(name) is { } value)
            {
                return value;
            }
        }

        return null;
    }

    private void Unused(OnnxGraph graph, string name, Token at)
    {
        if (name.Length > 0 && graph.Find(name) is not null)
        {
            throw lexer.Error($"'{name}' is made twice.", at);
        }
    }
}
