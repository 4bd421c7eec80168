using Spectre.Console;

namespace Build.ML.Cli.Output;

/// <summary>The one look of tables.</summary>
internal static class Tables
{
    /// <summary>A table without frame. Headings that start with <c>&gt;</c> are of columns aligned to the right.</summary>
    public static Table Create(params IReadOnlyList<string> headings)
    {
        var table = new Table { Border = TableBorder.None, ShowHeaders = true };
        foreach (var heading in headings)
        {
            var column = new TableColumn(new Text(heading.TrimStart('>'), new Style(decoration: Decoration.Bold))) { Padding = new Padding(0, 0, 2, 0), NoWrap = true };
            table.AddColumn(heading.StartsWith('>') ? column.RightAligned() : column);
        }

        return table;
    }

    /// <summary>Adds a row of plain texts.</summary>
    public static Table Row(this Table table, params IEnumerable<string> cells)
    {
        table.AddRow(cells.Select(c => new Text(c)));
        return table;
    }

    /// <summary>A heading with an empty line before it.</summary>
    public static void Heading(this IAnsiConsole console, string text)
    {
        console.WriteLine();
        console.Write(new Text(text, new Style(decoration: Decoration.Bold)));
        console.WriteLine();
    }
}
