using System.Collections.Immutable;
using Build.ML.Graph.Coupling;

namespace Build.ML.Cli.Models;

/// <summary>An axis of coupled channels, as <c>inspect --coupling --json</c> writes it.</summary>
/// <param name="Name">Name.</param>
/// <param name="Kind">What its positions are.</param>
/// <param name="Size">How many.</param>
/// <param name="Lock">Why none can be removed, or null.</param>
/// <param name="LockNode">The node that stops it, or null.</param>
/// <param name="Places">The constants it runs along.</param>
internal sealed record CoupledAxis(string Name, AxisKind Kind, int Size, string? Lock, string? LockNode, ImmutableArray<CoupledPlace> Places)
{
    /// <summary>What is shown of an axis.</summary>
    public static CoupledAxis Of(ChannelAxis axis) => new(
        axis.Name, axis.Kind, axis.Size, axis.Lock?.ToString(), axis.Lock?.Node?.DisplayName,
        [.. axis.Places.Select(p => new CoupledPlace(p.Constant.Name, p.Dimension, p.Layout.ToString(), p.Role, p.Reader.DisplayName))]);
}

/// <summary>A dimension of a constant that an axis runs along.</summary>
/// <param name="Constant">Name of the initializer or value.</param>
/// <param name="Dimension">Which dimension.</param>
/// <param name="Layout">How that is made of axes.</param>
/// <param name="Role">What the constant is to the axis.</param>
/// <param name="Reader">The layer.</param>
internal sealed record CoupledPlace(string Constant, int Dimension, string Layout, AxisRole Role, string Reader);
