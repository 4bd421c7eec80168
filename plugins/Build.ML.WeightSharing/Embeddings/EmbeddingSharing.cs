using System.Collections.Immutable;
using System.ComponentModel;
using System.Globalization;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Passes;
using Build.ML.Graph.Tensors;
using Build.ML.WeightSharing.Layers;

namespace Build.ML.WeightSharing.Embeddings;

/// <summary>What the shared table begins with.</summary>
public enum TableStart
{
    /// <summary>The mean of both.</summary>
    Average,

    /// <summary>The table of embeddings.</summary>
    Input,

    /// <summary>The matrix of the output.</summary>
    Output,
}

/// <summary>
/// Lets a language model's output projection read its table of embeddings, turned (Press and Wolf 2017, "Using the Output Embedding to Improve Language Models", arXiv 1608.05859): a table
/// [vocabulary, width] that a Gather reads and a product with a matrix [width, vocabulary], or [vocabulary, width] turned, become one.
/// </summary>
[Technique("share.embeddings")]
[Description("Lets the output projection read the table of embeddings, turned; a training step behind it recovers what is lost.")]
public sealed class EmbeddingSharing : Technique<EmbeddingSharing.Options>
{
    /// <summary>Options of <c>share.embeddings</c>.</summary>
    public sealed record Options
    {
        /// <summary>What the shared table begins with: <c>average</c>, <c>input</c> (the embeddings) or <c>output</c> (default, the projection: what it computes stays exact for what comes in).</summary>
        public TableStart Start { get; init; } = TableStart.Output;
    }

    /// <inheritdoc/>
    /// <exception cref="DiagnosticException">BML5761: no projection fits a table of embeddings.</exception>
    public override StepResult Apply(Model model, Options options, StepContext context)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        PassPipeline.Of(["constants-to-initializers"]).Run(model);
        var (table, node, isTurned) = Find(model);
        var projection = node.Inputs[1]!;
        var (input, output) = (table.Initializer!, isTurned ? projection.Initializer! : Turned(projection.Initializer!));
        var tensor = options.Start switch
        {
            TableStart.Average => TwinWeights.Mean([input, output]),
            TableStart.Input => input,
            _ => output,
        };
        model.Graph.SetInitializer(table, tensor);
        if (node.OpType == "Gemm")
        {
            node.SetAttribute(NodeAttribute.Int("transB", 1));
            node.SetInput(1, table);
        }
        else
        {
            node.SetInput(1, isTurned ? table : model.Graph.Add("Transpose", [table], projection.Name + ".turned", [NodeAttribute.Ints("perm", 1, 0)], before: node));
        }

        new RemoveUnusedInitializers().Run(model);
        return new StepResult(model)
        {
            Layers = [new(node.Name.Length > 0 ? node.Name : node.Outputs[0].Name, node.OpType, "shared", $"with {table.Name}", [])],
            Notes =
            [
                string.Create(CultureInfo.InvariantCulture, $"The model is {input.ByteLength:N0} bytes smaller as a file; it is as fast as before."),
                "One table does what two had learnt: put a step of distill.* or train behind this one.",
            ],
        };
    }

    private static (Value Table, Node Projection, bool IsTurned) Find(Model model)
    {
        var tables = model.Graph.Nodes.Where(n => n.Is("Gather") && n.Int("axis", 0) == 0 && IsMatrix(n.Inputs[0]) && n.Inputs[1] is { Constant: null }).Select(n => n.Inputs[0]!).Distinct().ToArray();
        var reasons = new List<string>();
        foreach (var node in model.Graph.Nodes.Where(n => n.Is("MatMul") || (n.Is("Gemm") && n.Int("transA", 0) == 0)).Reverse())
        {
            if (!IsMatrix(node.Inputs[1]) || node.Inputs[1] is not { } matrix)
            {
                if (node.Inputs[1]?.Producer is { OpType: "Transpose" } turn && tables.Contains(turn.Inputs[0]))
                {
                    reasons.Add($"{node.DisplayName} reads '{turn.Inputs[0]!.Name}' already");
                }

                continue;
            }

            var isTurned = node.Is("Gemm") && node.Int("transB", 0) != 0;
            var sizes = matrix.Initializer!.Sizes;
            foreach (var table in tables)
            {
                var (rows, width) = (table.Initializer!.Sizes[0], table.Initializer.Sizes[1]);
                if (table == matrix)
                {
                    reasons.Add($"{node.DisplayName} reads '{table.Name}' already");
                }
                else if (sizes[isTurned ? 0 : 1] == rows && sizes[isTurned ? 1 : 0] == width && matrix.Initializer.Type == table.Initializer.Type && matrix.Uses.Count == 1)
                {
                    return (table, node, isTurned);
                }
            }
        }

        throw new DiagnosticException(
            "BML5761",
            (tables.Length == 0 ? "There is no table of embeddings: no Gather reads rows of a constant float matrix by numbers that the model is given. "
                : reasons.Count > 0 ? $"Nothing is left to share: {string.Join("; ", reasons)}. "
                : $"No product with a matrix that one node reads fits {string.Join(" or ", tables.Select(t => $"'{t.Name}' {t.Initializer}"))}: it needs [width, vocabulary] of the same type. ")
            + "Remove the step.");

        static bool IsMatrix(Value? value) => value is { Initializer: { Rank: 2, Type: DataType.Float or DataType.Float16 }, IsGraphInput: false, IsGraphOutput: false };
    }

    private static Tensor Turned(Tensor tensor)
    {
        var (rows, columns) = ((int)tensor.Sizes[0], (int)tensor.Sizes[1]);
        return new(tensor.Type, [columns, rows], new ComputedContent(tensor.ByteLength, () =>
        {
            var bytes = new byte[tensor.ByteLength];
            if (tensor.Type == DataType.Float)
            {
                Turn<float>(bytes);
            }
            else
            {
                Turn<Half>(bytes);
            }

            return bytes;
        }));

        void Turn<T>(byte[] bytes)
            where T : unmanaged
        {
            using var view = tensor.Read<T>();
            var to = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, T>(bytes.AsSpan());
            for (var row = 0; row < rows; row++)
            {
                for (var column = 0; column < columns; column++)
                {
                    to[(column * rows) + row] = view.Span[(row * columns) + column];
                }
            }
        }
    }
}
