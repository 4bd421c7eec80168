using System.Text;

namespace Build.ML.TestSupport;

/// <summary>Makes broken and hostile YAML out of a valid recipe: the same seed gives the same text.</summary>
public static class RecipeMutator
{
    static readonly string[] Fragments =
    [
        "{", "}", "[", "]", ":", ": ", "- ", "? ", ", ", "\n", "\n  ", "\t", "'", "\"", "|\n", ">-\n", "&a ", "*a", "<<: *a", "!!str ", "!x ", "---\n", "...\n", "#", "%YAML 1.2\n",
        "${", "${X}", "$${", "}", "~", "null", "true", ".nan", ".inf", "-.inf", "1e999", "-0", "0x", "99999999999999999999", "\0", "\u2028", "\uFEFF", "\uD800", "é", "日本",
        "model", "steps", "data", "use", "with", "from", "id", "include: .", "include: ocr.buildml.yaml", "outputs", "gates", "evaluate", "seed", "../", "npm:", "model.size", ">=",
        "slim.", "((((", "\\", "\\x", "\\u12", "&a [*a]", "&a {<<: *a}", "  - {id: z, use: quantize.dynamic}\n",
    ];

    /// <summary>A mutated recipe.</summary>
    /// <param name="recipe">A valid one.</param>
    /// <param name="seed">Which mutation.</param>
    public static string Mutate(string recipe, int seed)
    {
        var random = new Random(seed);
        if (seed % 100 == 0)
            return Hostile(random, recipe);

        var text = new StringBuilder(recipe);
        for (var i = random.Next(1, 4); i > 0; i--)
            Change(text, random);
        return text.ToString();
    }

    static void Change(StringBuilder text, Random random)
    {
        var at = random.Next(text.Length + 1);
        var length = Math.Min(random.Next(1, 20), text.Length - at);
        switch (random.Next(7))
        {
            case 0:
                text.Remove(at, length);
                break;
            case 1:
                text.Insert(random.Next(text.Length + 1), text.ToString(at, length));
                break;
            case 2 when at < text.Length:
                text[at] = (char)random.Next(32, 127);
                break;
            case 3 when at < text.Length:
                text[at] = (char)random.Next(0, 0x10000);
                break;
            case 4:
                SwapLines(text, random);
                break;
            case 5:
                text.Length = at;
                break;
            default:
                text.Insert(at, Fragments[random.Next(Fragments.Length)]);
                break;
        }
    }

    static void SwapLines(StringBuilder text, Random random)
    {
        var lines = text.ToString().Split('\n');
        var (a, b) = (random.Next(lines.Length), random.Next(lines.Length));
        (lines[a], lines[b]) = (lines[b], lines[a]);
        text.Clear().AppendJoin('\n', lines);
    }

    // What costs time, memory or stack rather than meaning.
    static string Hostile(Random random, string recipe)
    {
        var n = random.Next(1000, 200_000);
        return random.Next(12) switch
        {
            0 => new string('[', n),
            1 => string.Concat(Enumerable.Repeat("{a: ", n)),
            2 => string.Concat(Enumerable.Range(0, Math.Min(n, 2000)).Select(i => new string(' ', i % 700) + "- \n")),
            3 => string.Concat(Enumerable.Range(0, 700).Select(i => new string(' ', i) + "a:\n")),
            4 => Bomb(random.Next(5, 40)),
            5 => recipe.Replace("ocr-edge", new string('x', n), StringComparison.Ordinal),
            6 => recipe.Replace("0.3 * ", new string('(', n), StringComparison.Ordinal),
            7 => recipe + "\n" + string.Concat(Enumerable.Range(0, n / 10).Select(i => $"k{i}: 1\n")),
            8 => "model: &m x\nsteps:\n" + string.Concat(Enumerable.Range(0, n / 40).Select(i => $"- {{id: s{i}, use: quantize.dynamic, from: s{i + 1}}}\n")),
            9 => string.Concat(Enumerable.Repeat("? ", n)),
            10 => recipe.Replace("size, latency", string.Join(", ", Enumerable.Repeat("&a *a", n / 10)), StringComparison.Ordinal),
            _ => recipe.Replace("dict.txt: dict.txt", string.Join(", ", Enumerable.Range(0, n / 20).Select(i => $"f{i}: int8")), StringComparison.Ordinal),
        };
    }

    // Ten references to the level before, on every level: 10^levels nodes in a few lines.
    static string Bomb(int levels)
    {
        var text = new StringBuilder("a0: &a0 [x, x]\n");
        for (var i = 1; i <= levels; i++)
            text.Append(System.Globalization.CultureInfo.InvariantCulture, $"a{i}: &a{i} [{string.Join(", ", Enumerable.Repeat($"*a{i - 1}", 10))}]\n");
        return text.ToString();
    }
}
