using System.Globalization;
using System.Text;

namespace Build.ML.Data.Unicode;

/// <summary>
/// Normalization forms of Unicode (UAX #15), which .NET's own methods leave out where globalization is invariant, as it is here; so texts
/// are normalized alike on every machine, whatever
/// libraries it has.
/// </summary>
internal static class UnicodeForms
{
    // Hangul syllables are computed: UAX #15, or section 3.12 of the Unicode Standard.
    private const int SyllableBase = 0xAC00, LeadBase = 0x1100, VowelBase = 0x1161, TrailBase = 0x11A7;
    private const int Leads = 19, Vowels = 21, Trails = 28, Syllables = Leads * Vowels * Trails;

    private static readonly Lazy<Tables> Data = new(Tables.Load);

    /// <summary>NFKC: compatibility characters become plain ones, letters and their marks single characters.</summary>
    public static string Compatible(string text) => Ascii.IsValid(text) ? text : Composed(Decomposed(text, isCompatible: true));

    /// <summary>The text without marks: NFD without nonspacing marks, such as e for é.</summary>
    public static string WithoutMarks(string text)
    {
        if (Ascii.IsValid(text))
        {
            return text;
        }

        var result = new StringBuilder(text.Length);
        foreach (var rune in Decomposed(text, isCompatible: false))
        {
            if (!Rune.IsValid(rune) || Rune.GetUnicodeCategory(new Rune(rune)) != UnicodeCategory.NonSpacingMark)
            {
                Append(result, rune);
            }
        }

        return result.ToString();
    }

    // Code points, with marks in canonical order. A surrogate by itself stays as it is.
    private static List<int> Decomposed(string text, bool isCompatible)
    {
        var points = new List<int>(text.Length + 16);
        for (var i = 0; i < text.Length; i++)
        {
            var isPair = char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]);
            Decompose(isPair ? char.ConvertToUtf32(text[i], text[++i]) : text[i], isCompatible, points);
        }

        var classes = Data.Value.Classes;
        for (var i = 1; i < points.Count; i++)
        {
            // Insertion sort of each run of marks: stable, and runs are short.
            var (point, order) = (points[i], classes.GetValueOrDefault(points[i]));
            var j = i;
            for (; order > 0 && j > 0 && classes.GetValueOrDefault(points[j - 1]) > order; j--)
            {
                points[j] = points[j - 1];
            }

            points[j] = point;
        }

        return points;
    }

    private static void Decompose(int point, bool isCompatible, List<int> points)
    {
        var syllable = point - SyllableBase;
        if (syllable is >= 0 and < Syllables)
        {
            points.Add(LeadBase + (syllable / (Vowels * Trails)));
            points.Add(VowelBase + (syllable % (Vowels * Trails) / Trails));
            if (syllable % Trails > 0)
            {
                points.Add(TrailBase + (syllable % Trails));
            }

            return;
        }

        if (!Data.Value.Canonical.TryGetValue(point, out var parts) && !(isCompatible && Data.Value.Compatible.TryGetValue(point, out parts)))
        {
            points.Add(point);
            return;
        }

        foreach (var part in parts)
        {
            Decompose(part, isCompatible, points);
        }
    }

    private static string Composed(List<int> points)
    {
        var classes = Data.Value.Classes;
        var (starter, last) = (-1, 0); // the last starter, and the class of what was kept after it
        var count = 0;
        for (var i = 0; i < points.Count; i++)
        {
            var (point, order) = (points[i], classes.GetValueOrDefault(points[i]));
            var isBlocked = starter < 0 || (count - 1 > starter && (last >= order || last == 0));
            if (!isBlocked && Pair(points[starter], point) is { } composed)
            {
                points[starter] = composed;
                continue;
            }

            if (order == 0)
            {
                starter = count;
            }

            last = order;
            points[count++] = point;
        }

        var result = new StringBuilder(count);
        for (var i = 0; i < count; i++)
        {
            Append(result, points[i]);
        }

        return result.ToString();
    }

    private static int? Pair(int first, int second)
    {
        var (lead, vowel) = (first - LeadBase, second - VowelBase);
        if (lead is >= 0 and < Leads && vowel is >= 0 and < Vowels)
        {
            return SyllableBase + (((lead * Vowels) + vowel) * Trails);
        }

        var (syllable, trail) = (first - SyllableBase, second - TrailBase);
        return syllable is >= 0 and < Syllables && syllable % Trails == 0 && trail is > 0 and < Trails ? first + trail
            : Data.Value.Pairs.TryGetValue((first, second), out var composed) ? composed : null;
    }

    private static void Append(StringBuilder text, int point)
    {
        if (point < 0x10000)
        {
            text.Append((char)point);
            return;
        }

        text.Append((char)(0xD800 + ((point - 0x10000) >> 10))).Append((char)(0xDC00 + ((point - 0x10000) & 0x3FF)));
    }

    private sealed class Tables
    {
        public Dictionary<int, int[]> Canonical { get; } = [];

        public Dictionary<int, int[]> Compatible { get; } = [];

        public Dictionary<int, int> Classes { get; } = [];

        public Dictionary<(int First, int Second), int> Pairs { get; } = [];

        public static Tables Load()
        {
            var tables = new Tables();
            using var reader = new StreamReader(typeof(UnicodeForms).Assembly.GetManifestResourceStream("Normalization.txt")!);
            while (reader.ReadLine() is { } line)
            {
                if (line[0] != '#')
                {
                    tables.Add(line);
                }
            }

            return tables;
        }

        private void Add(string line)
        {
            if (line.IndexOf('=') is > 0 and var equals)
            {
                Classes.Add(Hex(line[..equals]), int.Parse(line.AsSpan(equals + 1), CultureInfo.InvariantCulture));
                return;
            }

            var fields = line.Split(' ');
            var point = Hex(fields[0].TrimEnd('!', '~'));
            var parts = Array.ConvertAll(fields[1..], Hex);
            (fields[0].EndsWith('~') ? Compatible : Canonical).Add(point, parts);
            if (char.IsAsciiHexDigit(fields[0][^1]) && parts.Length == 2)
            {
                Pairs.Add((parts[0], parts[1]), point);
            }
        }

        private static int Hex(string text) => int.Parse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
    }
}
