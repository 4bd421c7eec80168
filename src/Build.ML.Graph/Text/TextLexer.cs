using System.Text;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Graph.Text;

enum TokenKind
{
    Name,
    Quoted,
    Punctuation,
    End,
}

/// <summary>A piece of the text: a name or number, a quoted string, or one of the marks <c>&lt; &gt; ( ) [ ] { } , = : @ … =&gt;</c>.</summary>
readonly record struct Token(TokenKind Kind, string Text, int Line, int Column);

/// <summary>Cuts the text form into tokens.</summary>
sealed class TextLexer
{
    private readonly string _text;
    private readonly string _file;
    private int _at;
    private int _line = 1;
    private int _lineStart;

    public TextLexer(string text, string file)
    {
        _text = text;
        _file = file;
        Current = Read();
    }

    public Token Current { get; private set; }

    public DiagnosticException Error(string message, Token? at = null)
    {
        var token = at ?? Current;
        return new DiagnosticException("BML2130", message, new SourceLocation(_file, token.Line, token.Column));
    }

    /// <summary>The current token, moving past it.</summary>
    public Token Take()
    {
        var token = Current;
        Current = Read();
        return token;
    }

    public bool Is(string mark) => Current.Kind == TokenKind.Punctuation && Current.Text == mark;

    /// <summary>Moves past a mark if it is next.</summary>
    public bool TryTake(string mark)
    {
        if (!Is(mark))
        {
            return false;
        }

        Take();
        return true;
    }

    public void Expect(string mark)
    {
        if (!TryTake(mark))
        {
            throw Error($"Expected '{mark}', found {Shown(Current)}.");
        }
    }

    /// <summary>Takes a name, quoted or not.</summary>
    public string ExpectName(string what) =>
        Current.Kind is TokenKind.Name or TokenKind.Quoted ? Take().Text : throw Error($"Expected {what}, found {Shown(Current)}.");

    public static string Shown(Token token) => token.Kind == TokenKind.End ? "the end of the text" : $"'{token.Text}'";

    private Token Read()
    {
        SkipBlanks();
        var (line, column) = (_line, _at - _lineStart + 1);
        if (_at >= _text.Length)
        {
            return new(TokenKind.End, "", line, column);
        }

        var first = _text[_at];
        if (first == '"')
        {
            return new(TokenKind.Quoted, Quoted(line, column), line, column);
        }

        if (first == '=' && _at + 1 < _text.Length && _text[_at + 1] == '>')
        {
            _at += 2;
            return new(TokenKind.Punctuation, "=>", line, column);
        }

        // '@' and ':' begin a mark, but may stand inside a name, as in x:0.
        if (TextWriter.IsNameCharacter(first) && first is not ('@' or ':'))
        {
            var start = _at;
            while (_at < _text.Length && (TextWriter.IsNameCharacter(_text[_at]) || (_text[_at] == '+' && _text[_at - 1] is 'E' or 'e')))
            {
                _at++;
            }

            // "ir_version: 10" ends a name with a colon that is a mark.
            while (_text[_at - 1] == ':')
            {
                _at--;
            }

            return new(TokenKind.Name, _text[start.._at], line, column);
        }

        _at++;
        return "<>()[]{},=:@…".Contains(first, StringComparison.Ordinal)
            ? new(TokenKind.Punctuation, first.ToString(), line, column)
            : throw Error($"'{first}' means nothing here.", new(TokenKind.Punctuation, "", line, column));
    }

    private void SkipBlanks()
    {
        for (; _at < _text.Length; _at++)
        {
            if (_text[_at] == '\n')
            {
                _line++;
                _lineStart = _at + 1;
            }
            else if (_text[_at] == '#')
            {
                while (_at + 1 < _text.Length && _text[_at + 1] != '\n')
                {
                    _at++;
                }
            }
            else if (!char.IsWhiteSpace(_text[_at]))
            {
                return;
            }
        }
    }

    private string Quoted(int line, int column)
    {
        var value = new StringBuilder();
        for (_at++; _at < _text.Length && _text[_at] is not ('"' or '\n'); _at++)
        {
            if (_text[_at] == '\\' && _at + 1 < _text.Length)
            {
                _at++;
                value.Append(_text[_at] == 'n' ? '\n' : _text[_at]);
            }
            else
            {
                value.Append(_text[_at]);
            }
        }

        if (_at >= _text.Length || _text[_at] == '\n')
        {
            throw Error("The quoted text does not end on its line.", new(TokenKind.Quoted, "", line, column));
        }

        _at++;
        return value.ToString();
    }
}
