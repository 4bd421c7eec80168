using System.Collections.Immutable;
using Build.ML.Graph.Shapes;
using Build.ML.Graph.Tensors;
using Build.ML.Graph.Text;
using Build.ML.OnnxRuntime;

namespace Build.ML.Graph.Tests.Shapes;

/// <summary>Operators that ONNX 1.12's conformance models do not have: inferred types against those of ONNX Runtime's outputs.</summary>
public sealed class RuntimeShapes
{
    /// <summary>Inputs by type, then one node; the outputs are all of the node's.</summary>
    public static TheoryData<string, string> Nodes() => new()
    {
        // opset 18 to 23
        { "float[2,3,4] x", "Gelu(x)" },
        { "float[2,3,4] x", "Mish(x)" },
        { "float[2,7] x", "Split<axis = 1, num_outputs = 3>(x)" },
        { "float[2,8,4,4] x, float[8] s, float[8] b", "GroupNormalization<num_groups = 4>(x, s, b)" },
        { "float[2,3,9] x", "AveragePool<kernel_shape = [3], strides = [2], ceil_mode = 1, dilations = [2]>(x)" },
        { "int32[2,3] x, int32[1,3] u", "BitwiseAnd(x, u)" },
        { "float[2,3,4,5] x, int64[2] s = {7, 2}", "CenterCropPad<axes = [2, 3]>(x, s)" },
        { "float[2,3,4,5] x, int64[2] p = {1, 2}, int64[1] a = {-1}", "Pad(x, p, , a)" },
        { "float[1,12,9] x, int64[2] i = {4, 4}, int64[2] b = {2, 2}", "Col2Im(x, i, b)" },
        { "float[2,3,4,4] x, float[1] r, float[2] z = {2.0, 0.5}", "Resize<axes = [2, 3]>(x, , z)" },
        { "float[2,2,3] t, int64[4] z = {2, 3, 5, 6}", "AffineGrid(t, z)" },
        { "float[2,8] x, float[2] s, int8[2] z", "QuantizeLinear<axis = 0>(x, s, z)" },
        { "float[2,5,8] x, float[8] s", "RMSNormalization(x, s)" },
        { "float[2,4,5,8] q, float[2,4,6,8] k, float[2,4,6,10] v", "Attention(q, k, v)" },
        { "float[2,5,32] q, float[2,6,16] k, float[2,6,16] v", "Attention<q_num_heads = 4, kv_num_heads = 2>(q, k, v)" },
        { "float[2,4,5,8] x, float[9,4] c, float[9,4] s, int64[2,5] p", "RotaryEmbedding(x, c, s, p)" },
        // com.microsoft
        { "float[2,3,4] x", "com.microsoft.Gelu(x)" },
        { "float[2,3,4] x", "com.microsoft.FastGelu(x)" },
        { "float[2,3,4] x", "com.microsoft.QuickGelu(x)" },
        { "float[2,3,4] x, float[4] b", "com.microsoft.BiasGelu(x, b)" },
        { "float[2,3,4] x, float[2,5,4] u", "com.microsoft.FusedMatMul<transB = 1>(x, u)" },
        { "float[3,2,4] x, float[2,5,4] u", "com.microsoft.FusedMatMul<transBatchA = 1, transB = 1>(x, u)" },
        { "float[2,3,32] x, uint8[6,2,8] w, float[12] s", "com.microsoft.MatMulNBits<K = 32, N = 6, bits = 4, block_size = 16>(x, w, s)" },
        { "float[2,3,8] x, float[2,3,8] s, float[8] g", "com.microsoft.SkipLayerNormalization(x, s, g)" },
        { "float[2,3,8] x, float[2,3,8] s, float[8] g", "com.microsoft.SkipSimplifiedLayerNormalization(x, s, g)" },
        { "float[2,5,12] x, float[12,24] w, float[24] b", "com.microsoft.Attention<num_heads = 2>(x, w, b)" },
        { "float[2,5,16] q, float[2,6,16] k, float[2,6,24] v", "com.microsoft.MultiHeadAttention<num_heads = 2>(q, k, v)" },
        { "float[1,3,32] q, float[1,3,16] k, float[1,3,16] v, int32[1] n = {2}, int32[1] t = {3}",
            "com.microsoft.GroupQueryAttention<num_heads = 4, kv_num_heads = 2>(q, k, v, , , n, t)" },
        { "uint8[2,3] a, uint8[3,5] b", "MatMulInteger(a, b)" },
        { "float[2,3] a, int8[3,5] b, float[1] s, int8[1] z", "com.microsoft.DynamicQuantizeMatMul(a, b, s, z)" },
        { "uint8[2,3] a, int8[3,5] b, float[1] s, float[1] t", "com.microsoft.MatMulIntegerToFloat(a, b, s, t)" },
        { "uint8[2,3] a, float[] s, uint8[] z, uint8[3] b, float[] t, uint8[] u, float[] v, uint8[] w", "com.microsoft.QLinearAdd(a, s, z, b, t, u, v, w)" },
        { "float[2,5,8] x, int64[2,5] p, float[9,4] c, float[9,4] s", "com.microsoft.RotaryEmbedding<num_heads = 1>(x, p, c, s)" },
        { "int32[2,5] i, int32[2,5] g, float[7,8] w, float[7,8] p, float[7,8] s, float[8] a, float[8] b",
            "com.microsoft.EmbedLayerNormalization(i, g, w, p, s, a, b)" },
        { "uint8[4,16] d, int64[2,3] i, float[4,2] s", "com.microsoft.GatherBlockQuantized<bits = 4, block_size = 16>(d, i, s)" },
    };

    [Theory]
    [MemberData(nameof(Nodes))]
    public void Inferred_types_are_those_of_the_runtime_s_outputs(string inputs, string node)
    {
        using var model = Build(inputs, node);
        ShapeInference.Run(model);

        var feeds = ImmutableArray.CreateBuilder<KeyValuePair<string, Tensor>>();
        foreach (var input in model.Graph.Inputs.Where(i => i.Initializer is null))
        {
            var type = (TensorType)input.Type!;
            var sizes = type.Shape!.ToSizes()!;
            feeds.Add(new(input.Name, Ones(type.ElementType, sizes)));
        }

        using var session = new OnnxRuntimeInference().Open(model);
        var outputs = session.Run(feeds.ToImmutable());
        for (var i = 0; i < outputs.Length; i++)
        {
            Assert.Equal(outputs[i].ToString(), model.Graph.Outputs[i].Type?.ToString());
        }
    }

    /// <summary>Operators with a rule that no conformance model and no case above has. Adding a case for one shrinks the list.</summary>
    private static readonly string[] Untested =
    [
        "Affine", "BitCast", "BitwiseNot", "BitwiseOr", "BitwiseXor", "CumProd", "DeformConv", "DynamicSlice", "GlobalLpPool",
        "ImageDecoder", "LpNormalization", "LpPool", "MaxRoiPool", "Multinomial", "ParametricSoftplus", "RandomNormal",
        "RandomNormalLike", "RandomUniform", "RegexFullMatch", "Scale", "ScaledTanh", "SimplifiedLayerNormalization", "StringConcat",
        "StringSplit", "Swish", "TensorScatter", "ai.onnx.ml.ArrayFeatureExtractor", "ai.onnx.ml.Binarizer", "ai.onnx.ml.Imputer",
        "ai.onnx.ml.LabelEncoder", "ai.onnx.ml.LinearClassifier", "ai.onnx.ml.LinearRegressor", "ai.onnx.ml.Normalizer",
        "ai.onnx.ml.SVMClassifier", "ai.onnx.ml.Scaler", "ai.onnx.ml.TreeEnsembleClassifier", "ai.onnx.ml.TreeEnsembleRegressor",
        "ai.onnx.ml.ZipMap", "com.microsoft.AttnLSTM", "com.microsoft.BiasAdd", "com.microsoft.BiasDropout",
        "com.microsoft.BiasSoftmax", "com.microsoft.BiasSplitGelu", "com.microsoft.BitmaskDropout", "com.microsoft.Conv",
        "com.microsoft.DequantizeLinear", "com.microsoft.DynamicQuantizeLSTM", "com.microsoft.FusedConv", "com.microsoft.FusedGemm",
        "com.microsoft.GatherND", "com.microsoft.GemmFloat8", "com.microsoft.GridSample", "com.microsoft.GroupNorm",
        "com.microsoft.Inverse", "com.microsoft.Irfft", "com.microsoft.IsAllFinite",
        "com.microsoft.LayerNormalization", "com.microsoft.MatMulBnb4", "com.microsoft.MatMulFpQ4", "com.microsoft.MatMulInteger16",
        "com.microsoft.PackedMultiHeadAttention", "com.microsoft.QAttention", "com.microsoft.QGemm",
        "com.microsoft.QLinearAveragePool", "com.microsoft.QLinearConcat", "com.microsoft.QLinearConv",
        "com.microsoft.QLinearGlobalAveragePool", "com.microsoft.QLinearLeakyRelu", "com.microsoft.QLinearMul",
        "com.microsoft.QLinearSigmoid", "com.microsoft.QLinearSoftmax", "com.microsoft.QuantizeLinear", "com.microsoft.Rfft",
        "com.microsoft.SimplifiedLayerNormalization", "com.microsoft.SkipGroupNorm", "com.microsoft.Tokenizer",
        "com.microsoft.TransposeMatMul", "com.microsoft.Trilu",
    ];

    [SkippableFact]
    public void Every_rule_is_tried_on_a_model_but_for_the_listed_ones()
    {
        var tried = new HashSet<(string Domain, string OpType)>();
        foreach (var path in OnnxTestData.AllModels())
        {
            using var model = Model.Open(path);
            tried.UnionWith(model.AllNodes.Select(n => (n.Domain, n.OpType)));
        }

        foreach (var row in Nodes())
        {
            using var model = Build((string)row[0], (string)row[1]);
            tried.Add((model.Graph.FirstNode!.Domain, model.Graph.FirstNode.OpType));
        }

        var untried = ShapeRuleSet.BuiltIn.Operators.Except(tried).Select(o => o.Domain.Length > 0 ? $"{o.Domain}.{o.OpType}" : o.OpType).Order(StringComparer.Ordinal);
        Assert.True(Untested.SequenceEqual(untried), "\"" + string.Join("\", \"", untried) + "\"");
    }

    /// <summary>Types with a value are initializers; the others inputs. Split and GroupQueryAttention have three outputs, EmbedLayerNormalization two.</summary>
    private static Model Build(string inputs, string node)
    {
        var declarations = System.Text.RegularExpressions.Regex.Matches(inputs, @"\w+\[[^\]]*\] \w+( = \{[^}]*\})?").Select(m => m.Value).ToArray();
        var names = node.StartsWith("Split", StringComparison.Ordinal) ? "y, z, a"
            : node.Contains("EmbedLayer", StringComparison.Ordinal) ? "y, mask"
            : node.Contains("GroupQuery", StringComparison.Ordinal) ? "y, keys, values" : "y";
        var initializers = string.Join(", ", declarations.Where(d => d.Contains('=')));
        return ModelText.Parse(
            $"<ir_version: 10, opset_import: [\"\": 23, \"com.microsoft\": 1]> m ({string.Join(", ", declarations.Where(d => !d.Contains('=')))}) => ({names})"
            + $"{(initializers.Length > 0 ? $"<{initializers}>" : "")} {{ {names} = {node} }}");
    }

    private static Tensor Ones(DataType type, long[] sizes)
    {
        var count = (int)sizes.Aggregate(1L, (a, b) => a * b);
        return type switch
        {
            DataType.Float => new Tensor(type, sizes, Tensor.Of(Enumerable.Repeat(1f, count).ToArray(), count).Content),
            DataType.Int64 => new Tensor(type, sizes, Tensor.Of(Enumerable.Repeat(1L, count).ToArray(), count).Content),
            DataType.Int32 => new Tensor(type, sizes, Tensor.Of(Enumerable.Repeat(1, count).ToArray(), count).Content),
            _ => Tensor.OfBytes(type, Enumerable.Repeat((byte)1, count).ToArray(), sizes),
        };
    }
}
