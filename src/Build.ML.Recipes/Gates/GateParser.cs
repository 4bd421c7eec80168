using System.Globalization;
using System.Text.RegularExpressions;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Recipes.Gates;

/// <summary>Recursive descent over a gate's text, with bounded depth.</summary>
internal sealed partial class GateParser(string text, SourceLocation? location)
{
    // A million parentheses must end in an error, not in a stack overflow.
    private const int MaximumDepth = 50;

    private int _at;
    private int _depth;

    internal GateExpression Parse()
    {
        var left = Sum();
        var comparison = Comparison();
        var right = Sum();
        SkipBlanks();
        return _at == text.Length
            ? new GateExpression(text.Trim(), left, comparison, right)
            : throw Error(_at, "expected the end or one of + - * /");
    }

    private GateTerm Sum()
    {
        var left = Product();
        while (Take('+', '-') is { } sign)
        {
            left = new GateOperation(left.Offset, sign, left, Product());
        }

        return left;
    }

    private GateTerm Product()
    {
        var left = Factor();
        while (Take('*', '/') is { } sign)
        {
            left = new GateOperation(left.Offset, sign, left, Factor());
        }

        return left;
    }

    private GateTerm Factor()
    {
        SkipBlanks();
        var start = _at;
        if (++_depth > MaximumDepth)
        {
            throw Error(start, $"nested deeper than {MaximumDepth} levels");
        }

        var term = Signed(start);
        _depth--;
        return term;
    }

    private GateTerm Signed(int start)
    {
        if (Take('-', '+') is { } sign)
        {
            var operand = Factor();
            return sign == '+' ? operand : new GateOperation(start, '-', new GateNumber(start, 0), operand);
        }

        if (Take('(', '(') is null)
        {
            return Operand(start);
        }

        var inner = Sum();
        return Take(')', ')') is not null ? inner : throw Error(_at, "expected ')'");
    }

    private GateTerm Operand(int start)
    {
        // The longest form first: in '4bit-g32.accuracy' the hyphen belongs to the step's id, in 'accuracy - 0.01' it subtracts.
        if (Match(Qualified()) is { } qualified)
        {
            return new GateMetric(start, qualified.Groups[1].Value, qualified.Groups[2].Value);
        }

        if (Match(Number()) is { } number)
        {
            return new GateNumber(start, double.Parse(number.ValueSpan, CultureInfo.InvariantCulture));
        }

        return Match(Name()) is { } name
            ? new GateMetric(start, null, name.Value)
            : throw Error(start, "expected a number, a metric, 'model.metric', 'step.metric' or '('");
    }

    private GateComparison Comparison()
    {
        SkipBlanks();
        var rest = text.AsSpan(_at);
        (GateComparison Kind, int Length)? found =
            rest.StartsWith(">=") ? (GateComparison.AtLeast, 2)
            : rest.StartsWith("<=") ? (GateComparison.AtMost, 2)
            : rest.StartsWith("==") ? (GateComparison.Equal, 2)
            : rest.StartsWith(">") ? (GateComparison.Above, 1)
            : rest.StartsWith("<") ? (GateComparison.Below, 1)
            : null;
        _at += found?.Length ?? throw Error(_at, "expected one of >= <= > < ==");
        return found.Value.Kind;
    }

    private char? Take(char a, char b)
    {
        SkipBlanks();
        return _at < text.Length && (text[_at] == a || text[_at] == b) ? text[_at++] : null;
    }

    private Match? Match(Regex pattern)
    {
        var match = pattern.Match(text, _at);
        if (!match.Success)
        {
            return null;
        }

        _at += match.Length;
        return match;
    }

    private void SkipBlanks()
    {
        while (_at < text.Length && char.IsWhiteSpace(text[_at]))
        {
            _at++;
        }
    }

    private DiagnosticException Error(int offset, string expected)
    {
        var found = offset >= text.Length ? "the end" : $"'{text[offset]}'";
        var at = location is { Column: > 0 } ? location with { Column = location.Column + offset } : location;
        return new("BML1030", $"Gate '{Shorten(text)}' is no condition: at character {offset + 1} found {found}, {expected}.", at);
    }

    private static string Shorten(string text) => text.Length <= 80 ? text : text[..77] + "...";

    [GeneratedRegex(@"\G([A-Za-z0-9_][A-Za-z0-9_-]*)\.([A-Za-z_][A-Za-z0-9_]*)", RegexOptions.CultureInvariant)]
    private static partial Regex Qualified();

    [GeneratedRegex(@"\G(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", RegexOptions.CultureInvariant)]
    private static partial Regex Number();

    [GeneratedRegex(@"\G[A-Za-z_][A-Za-z0-9_]*", RegexOptions.CultureInvariant)]
    private static partial Regex Name();
}
