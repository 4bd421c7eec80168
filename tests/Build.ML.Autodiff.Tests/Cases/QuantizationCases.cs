using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Autodiff.Tests.Cases;

[GradientCases]
public sealed class QuantizationCases : GradientCaseTable
{
    const string Microsoft = "com.microsoft";

    public QuantizationCases()
    {
        foreach (var (bits, block) in new[] { (4, 16), (4, 32), (8, 16) })
            foreach (var zeros in new[] { false, true })
                Case("MatMulNBits", r => NBits(r, bits, block, zeros), $"{bits} bits, blocks of {block}{(zeros ? ", zero points" : "")}", Microsoft);
        foreach (var type in new[] { 0, 1 })
            Case("MatMulBnb4", r => new(
                [r.Normal(3, 32), Bytes(r, 5 * 32 / 2), r.Uniform(0.5, 1, 10)], NodeAttribute.Int("K", 32), NodeAttribute.Int("N", 5), NodeAttribute.Int("block_size", 16),
                NodeAttribute.Int("quant_type", type))
            {
                Checked = [0],
            }, type == 0 ? "FP4" : "NF4", Microsoft);
    }

    // Three blocks of 16 or two of 32, the last with elements behind K.
    static GradientCase NBits(CaseRandom r, int bits, int block, bool zeros)
    {
        var (columns, inner) = (3, 40);
        var blocks = (inner + block - 1) / block;
        return new(
            [
                r.Normal(2, 2, inner), Bytes(r, columns, blocks, block * bits / 8), r.Uniform(0.1, 0.2, columns * blocks),
                zeros ? Bytes(r, columns * (bits == 8 ? blocks : (blocks + 1) / 2)) : null,
            ],
            NodeAttribute.Int("K", inner), NodeAttribute.Int("N", columns), NodeAttribute.Int("bits", bits), NodeAttribute.Int("block_size", block))
        {
            Checked = [0],
            Tolerance = bits == 8 ? 4e-3 : 2e-3, // weights of up to 128 steps: the loss is larger, and with it its rounding
        };
    }

    static Tensor Bytes(CaseRandom r, params long[] sizes) =>
        Tensor.OfBytes(DataType.UInt8, r.Indices(256, sizes).ToArray<long>().Select(v => (byte)v).ToArray(), sizes);
}
