using System.Collections.Immutable;
using Build.ML.Cli.Models;
using Build.ML.Graph.Coupling;
using Spectre.Console;

namespace Build.ML.Cli.Output;

/// <summary>What <c>inspect --coupling</c> prints.</summary>
internal static class CouplingTables
{
    /// <summary>Weights named per cell; the rest is counted.</summary>
    private const int Named = 3;

    /// <summary>A sum, then the axes that can be cut, then those that cannot and why.</summary>
    public static void Render(ImmutableArray<CoupledAxis> axes, IAnsiConsole console)
    {
        var free = axes.Where(a => a.Lock is null).ToList();
        console.WriteLine($"{free.Count} of {axes.Length} axes can lose positions: all weights of a row lose the same ones.");
        if (free.Count > 0)
        {
            console.Heading("Removable");
            var table = Tables.Create(["axis", "kind", ">size", "made by", "read by", ">parameters"]);
            foreach (var axis in free)
            {
                table.Row([axis.Name, Kind(axis), Figures.Count(axis.Size), Names(axis, AxisRole.Output), Names(axis, AxisRole.Input),
                    Figures.Count(axis.Places.Count(p => p.Role == AxisRole.Parameter))]);
            }

            console.Write(table);
        }

        if (free.Count < axes.Length)
        {
            console.Heading("Locked");
            var table = Tables.Create(["axis", "kind", ">size", "why"]);
            foreach (var axis in axes.Where(a => a.Lock is not null))
            {
                table.Row([axis.Name, Kind(axis), Figures.Count(axis.Size), axis.Lock!]);
            }

            console.Write(table);
        }
    }

    private static string Kind(CoupledAxis axis) => axis.Kind switch
    {
        AxisKind.QueryHeads => "query heads",
        AxisKind.HeadSize => "head size",
        var kind => kind.ToString().ToLowerInvariant(),
    };

    private static string Names(CoupledAxis axis, AxisRole role)
    {
        var names = axis.Places.Where(p => p.Role == role).Select(p => p.Constant).Distinct().ToList();
        return string.Join(", ", names.Take(Named)) + (names.Count > Named ? $" +{names.Count - Named}" : "");
    }
}
