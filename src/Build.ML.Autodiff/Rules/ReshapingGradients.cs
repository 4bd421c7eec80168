using Build.ML.Graph.Ir;

namespace Build.ML.Autodiff.Rules;

/// <summary>Operators that give the same elements another shape, order or type.</summary>
[Gradients]
public sealed class ReshapingGradients : GradientTable
{
    /// <summary>Names the rules.</summary>
    public ReshapingGradients()
    {
        Rule(["Reshape", "Flatten", "Squeeze", "Unsqueeze"], (n, g, op) => [op.Reshape(g, n.X.Sizes().AsSpan())]);
        Rule("Transpose", (n, g, op) =>
        {
            var order = n.Ints("perm");
            var inverse = new long[n.X.Rank()];
            for (var i = 0; i < inverse.Length; i++)
            {
                inverse[order is { } known ? (int)known[i] : inverse.Length - 1 - i] = i;
            }

            return [op.Transpose(g, inverse)];
        });
        Rule(["Cast", "CastLike"], (n, g, op) => [op.Cast(g, n.X.ElementType)]);
        Rule("Expand", (_, g, _) => [g]); // the sum over what was repeated is everyone's
        Rule("Tile", (n, g, op) =>
        {
            // [r1·d1, r2·d2, …] is [r1, d1, r2, d2, …] summed over each r.
            var repeats = n.Constant(1)!;
            var sizes = n.X.Sizes();
            long[] split = [.. repeats.Zip(sizes).SelectMany(p => new[] { p.First, p.Second })];
            long[] axes = [.. Enumerable.Range(0, repeats.Length).Where(i => repeats[i] != 1).Select(i => 2L * i)];
            return [op.Reshape(op.ReduceSum(op.Reshape(g, split), axes), sizes.AsSpan())];
        });
        Rule("DepthToSpace", (n, g, op) =>
        {
            var (b, block, x) = (n.X.Size(0), n.Int("blocksize", 1), n.X.Sizes());
            var channels = x[1] / (block * block);
            var blocks = op.Reshape(g, b, channels, x[2], block, x[3], block);
            return [op.Reshape(n.String("mode", "DCR") == "DCR" ? op.Transpose(blocks, 0, 3, 5, 1, 2, 4) : op.Transpose(blocks, 0, 1, 3, 5, 2, 4), x.AsSpan())];
        });
        Rule("SpaceToDepth", (n, g, op) => [op.Node("DepthToSpace", [g], NodeAttribute.Int("blocksize", n.Int("blocksize", 1)), NodeAttribute.String("mode", "DCR"))]);
    }
}
