using System.Numerics.Tensors;
using Build.ML.Abstractions.Techniques;
using Build.ML.Calibration.Hessians;
using Build.ML.Calibration.LinearAlgebra;
using Build.ML.Pruning.Calibrated;
using Tensor = Build.ML.Graph.Tensors.Tensor;

namespace Build.ML.Pruning.Wanda;

/// <summary>Wanda: |w_ij|·‖X_j‖₂ compared within row i (Sun et al. 2023, arXiv 2306.11695, §3).</summary>
internal sealed class WandaPruner : GroupPruner
{
    private const int Band = 64;

    /// <inheritdoc/>
    public override void Prune(
        InputGroup group, IEnumerable<Tensor> activations, IReadOnlyList<LayerTarget> targets, StepContext context, Action<NumberedLayer, PrunedLayer> pruned)
    {
        var norms = new ColumnNorms(group);
        foreach (var activation in activations)
        {
            norms.Add(activation);
        }

        var ofGroups = Enumerable.Range(0, group.Hessians).Select(norms.Of).ToArray();
        foreach (var target in targets)
        {
            pruned(target.Layer, new(Prune(target, ofGroups, context), [new("calibration_inputs", norms.Count), new("dead_inputs", ofGroups.Sum(n => n.Count(0f)))]));
        }
    }

    private static float[] Prune(LayerTarget target, float[][] norms, StepContext context)
    {
        var layer = target.Layer.Layer;
        var weights = GC.AllocateUninitializedArray<float>(checked(layer.Rows * layer.Columns));
        using var reader = layer.Open();
        TaskQueue.Run((layer.Rows + Band - 1) / Band, context.Threads, () => new Row(layer.Columns), (row, band) =>
        {
            var first = band * Band;
            var rows = Math.Min(Band, layer.Rows - first);
            reader.Read(first, rows, 0, layer.Columns, weights.AsSpan(first * layer.Columns, rows * layer.Columns));
            for (var i = first; i < first + rows; i++)
            {
                row.Prune(
                    weights.AsSpan(i * layer.Columns, layer.Columns), norms[(int)((long)i * norms.Length / layer.Rows)], (int)LayerTarget.Share(target.Zeros, i, layer.Rows), target.Groups);
            }
        }, context.Cancellation);
        return weights;
    }

    /// <summary>Prunes rows, one after the other.</summary>
    internal sealed class Row(int columns) : IDisposable
    {
        private readonly float[] _scores = new float[columns];
        private readonly float[] _sorted = new float[columns];

        /// <summary>Prunes one row.</summary>
        /// <param name="weights">The row.</param>
        /// <param name="norms">‖X_j‖₂.</param>
        /// <param name="zeros">How many go, of equal ones the first; not used with <paramref name="groups"/>.</param>
        /// <param name="groups">N:M, or null: of equal ones the first stays.</param>
        public void Prune(Span<float> weights, ReadOnlySpan<float> norms, int zeros, ColumnGroups? groups)
        {
            TensorPrimitives.Abs(weights, _scores);
            TensorPrimitives.Multiply(_scores, norms, _scores);
            if (groups is not null)
            {
                PruneGroups(weights, groups);
                return;
            }

            if (zeros == 0)
            {
                return;
            }

            _scores.CopyTo(_sorted, 0);
            Array.Sort(_sorted);
            var threshold = _sorted[zeros - 1];
            var ties = zeros - _sorted.AsSpan().IndexOf(threshold);
            for (var j = 0; j < weights.Length; j++)
            {
                weights[j] = _scores[j] < threshold || (_scores[j] == threshold && ties-- > 0) ? 0 : weights[j];
            }
        }

        /// <inheritdoc/>
        public void Dispose()
        {
        }

        private void PruneGroups(Span<float> weights, ColumnGroups groups)
        {
            var order = groups.Order();
            for (var group = 0; group < groups.Count; group++)
            {
                var columns = order.AsSpan(groups.Start(group)..groups.Start(group + 1));
                for (var n = columns.Length; n > groups.Keep; n--)
                {
                    var least = -1;
                    foreach (var column in columns)
                    {
                        least = _scores[column] >= 0 && (least < 0 || _scores[column] <= _scores[least]) ? column : least;
                    }

                    (_scores[least], weights[least]) = (-1, 0);
                }
            }
        }
    }
}
