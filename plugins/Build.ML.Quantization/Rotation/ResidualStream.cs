using System.Collections.Immutable;
using Build.ML.Graph.Ir;

namespace Build.ML.Quantization.Rotation;

/// <summary>A residual stream that can be rotated: what writes and reads it.</summary>
internal sealed class ResidualStream
{
    private const float LeastGamma = 1e-6f; // of the largest: β/γ is exact enough above it

    private readonly StreamWalk _walk;

    private ResidualStream(StreamWalk walk, Value seed) => (_walk, Seed) = (walk, seed);

    /// <summary>One of its values: how reports name it.</summary>
    public Value Seed { get; }

    /// <summary>Channels.</summary>
    public int Width => _walk.Width;

    /// <summary>Whether the rotation must keep means.</summary>
    public bool KeepsMean => _walk.KeepsMean;

    /// <summary>Linear layers that read the stream.</summary>
    public IReadOnlyCollection<Node> Readers => _walk.Readers.Keys;

    /// <summary>Linear layers that write it.</summary>
    public IReadOnlyCollection<Node> Writers => _walk.Writers;

    /// <summary>Finds the streams of a graph: from what normalizations read. Types must have been inferred.</summary>
    /// <param name="graph">A graph.</param>
    /// <returns>Streams that can be rotated; values of others, each with the reason.</returns>
    public static (ImmutableArray<ResidualStream> Streams, ImmutableArray<(Value Seed, string Reason)> Left) Find(OnnxGraph graph)
    {
        var rules = StreamWalk.AllRules();
        var streams = ImmutableArray.CreateBuilder<ResidualStream>();
        var left = ImmutableArray.CreateBuilder<(Value, string)>();
        var seen = new HashSet<Value>();
        foreach (var node in graph.Nodes)
        {
            if (NormalizedBy(node) is not { } seed || seen.Contains(seed) || seed.Shape is not { Rank: > 0 } shape || shape[-1].Size is not { } width)
            {
                continue;
            }

            var walk = new StreamWalk(rules, (int)width);
            walk.Run(seed);
            seen.UnionWith(walk.Rotated);
            var stream = new ResidualStream(walk, seed);
            var reason = walk.Failure ?? stream.Obstacle();
            if (reason is null)
            {
                streams.Add(stream);
            }
            else
            {
                left.Add((seed, reason));
            }
        }

        return (streams.ToImmutable(), left.ToImmutable());
    }

    /// <summary>Moves the gammas into the layers that read what they scale; they become ones, which the runtime's fused normalizations still want.</summary>
    public void MoveGammas()
    {
        var gammas = _walk.Gammas.ToDictionary(g => g, g => RotationEdit.Numbers(g.Value.Constant!));
        var edit = new RotationEdit(1);
        foreach (var (node, gamma) in _walk.Readers)
        {
            if (gamma is { } use)
            {
                edit.Scale(node, gammas[use]);
            }
        }

        foreach (var (beta, gamma) in _walk.Betas)
        {
            var divisor = gammas[gamma];
            RotationEdit.Constant(beta, x =>
            {
                for (var i = 0; i < x.Length; i++)
                {
                    x[i] /= divisor[i % divisor.Length];
                }
            });
        }

        foreach (var gamma in gammas.Keys)
        {
            RotationEdit.Constant(gamma, x => Array.Fill(x, 1f));
        }
    }

    /// <summary>Rotates the stream. The gammas must have been moved.</summary>
    /// <param name="rotation">Row-major [width, width], orthogonal.</param>
    /// <param name="threads">Cores to use.</param>
    public void Rotate(float[] rotation, int threads)
    {
        var blocks = new BlockRotation(Width, [rotation]);
        var edit = new RotationEdit(threads);
        foreach (var node in _walk.Writers)
        {
            edit.Writer(node, blocks);
        }

        foreach (var node in _walk.Readers.Keys)
        {
            edit.Reader(node, blocks);
        }

        // A constant read several times by this stream and nothing else is rotated once, not copied.
        var tables = _walk.Tables.Concat(_walk.Betas.Keys).ToHashSet();
        foreach (var readers in tables.GroupBy(t => t.Value).ToArray())
        {
            if (readers.Key.Uses.All(u => tables.Contains(new(u.Node, u.Index))))
            {
                edit.Shared(readers.Key, blocks);
                continue;
            }

            foreach (var table in readers)
            {
                edit.Table(table, blocks);
            }
        }
    }

    private string? Obstacle()
    {
        if (_walk.Readers.Count == 0 || _walk.Writers.Count + _walk.Tables.Count == 0)
        {
            return "no linear layer reads it, or none writes it";
        }

        foreach (var gamma in _walk.Betas.Values.Distinct())
        {
            var numbers = RotationEdit.Numbers(gamma.Value.Constant!);
            var largest = numbers.Max(Math.Abs);
            if (numbers.Any(g => Math.Abs(g) <= LeastGamma * largest))
            {
                return $"the gamma '{gamma.Value.Name}' has zeros, by which its beta would be divided";
            }
        }

        var betas = _walk.Betas.Keys.FirstOrDefault(b => b.Value.Constant!.Count % Width != 0);
        return betas.Node is null ? null : $"the beta '{betas.Value.Name}' does not have {Width} numbers";
    }

    /// <summary>What a normalization normalizes, or null for other nodes.</summary>
    private static Value? NormalizedBy(Node node)
    {
        if (node.Domain is "" or "com.microsoft" && node.OpType is "LayerNormalization" or "RMSNormalization" or "SimplifiedLayerNormalization"
            or "SkipLayerNormalization" or "SkipSimplifiedLayerNormalization")
        {
            return node.Inputs[0];
        }

        // Decomposed: the mean of squares over the last dimension, of x or of x − mean x.
        if (!node.Is("ReduceMean") || node.Inputs[0]?.Producer is not { Domain: "", OpType: "Mul" or "Pow" } square
            || (square.OpType == "Mul" && square.Inputs[0] != square.Inputs[1]) || square.Inputs[0] is not { Shape: { } shape } x
            || !ConstantReader.ReducesLast(node, shape.Rank))
        {
            return null;
        }

        return x.Producer is { Domain: "", OpType: "Sub" } centred && centred.Inputs[1]?.Producer is { Domain: "", OpType: "ReduceMean" } ? centred.Inputs[0] : x;
    }
}
