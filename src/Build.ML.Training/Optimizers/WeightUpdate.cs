using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Build.ML.Abstractions.Inference;

namespace Build.ML.Training;

/// <summary>
/// The part of a training step outside the graph: norm of the gradients, clipping, the optimizer, moving averages. Parameters are cut into pieces that fit a core's cache, which
/// threads share; every piece is computed alike whoever computes it, and sums over pieces are taken in their order, so results do not depend on the number of threads.
/// </summary>
internal sealed class WeightUpdate
{
    // 4096 numbers: with gradients and two states 64 KB, well within a second-level cache. The same on every machine, as the order of sums depends on it.
    private const int ChunkBytes = 16 << 10;

    private readonly Optimizer _optimizer;
    private readonly IReadOnlyList<TrainedWeight> _weights;
    private readonly int _threads;
    private readonly Piece[] _pieces;
    private readonly double[] _sums;

    /// <summary>Prepares updates.</summary>
    /// <param name="optimizer">The rule.</param>
    /// <param name="weights">Parameters, each with as many states as the optimizer keeps.</param>
    /// <param name="threads">Cores to use; 1 or more.</param>
    public WeightUpdate(Optimizer optimizer, IReadOnlyList<TrainedWeight> weights, int threads)
    {
        _optimizer = optimizer;
        _weights = weights;
        var length = ChunkBytes / Vector<byte>.Count;
        var pieces = new List<Piece>();
        for (var w = 0; w < weights.Count; w++)
        {
            var vectors = weights[w].Weights.Vectors<float>().Length;
            for (var first = 0; first < vectors; first += length)
            {
                pieces.Add(new(w, first, Math.Min(length, vectors - first)));
            }
        }

        _pieces = [.. pieces];
        _sums = new double[_pieces.Length];
        _threads = Math.Clamp(threads, 1, Math.Max(1, _pieces.Length / 4));
    }

    /// <summary>Adds the gradients of a batch to the sums.</summary>
    /// <param name="first">Whether it is the first batch of a step: the sums become its gradients.</param>
    public void Accumulate(bool first) => ForEachPiece(p =>
    {
        var sum = Slice(_weights[p.Weight].Sum!, p);
        var gradients = Slice(_weights[p.Weight].Gradients, p);
        if (first)
        {
            gradients.CopyTo(sum);
            return;
        }

        for (var i = 0; i < sum.Length; i++)
        {
            sum[i] += gradients[i];
        }
    });

    /// <summary>The Euclidean norm of all gradients together (sums, where there are); not finite when one of them is not.</summary>
    public double GradientNorm()
    {
        ForEachPiece((p, i) => _sums[i] = SumOfSquares(Slice(_weights[p.Weight].Sum ?? _weights[p.Weight].Gradients, p)));
        var sum = 0d;
        foreach (var piece in _sums)
        {
            sum += piece;
        }

        return Math.Sqrt(sum);
    }

    /// <summary>The first parameter with a gradient that is not finite, or null; to be asked after <see cref="GradientNorm"/>.</summary>
    public TrainedWeight? FirstNotFinite()
    {
        var at = Array.FindIndex(_sums, s => !double.IsFinite(s));
        return at < 0 ? null : _weights[_pieces[at].Weight];
    }

    /// <summary>One step of the optimizer.</summary>
    /// <param name="step">Number of the step, from 1.</param>
    /// <param name="learningRate">Learning rate of the step, before the parameters' own multipliers.</param>
    /// <param name="gradientScale">What every gradient is multiplied by.</param>
    public void Apply(long step, double learningRate, float gradientScale) => ForEachPiece(p =>
    {
        var w = _weights[p.Weight];
        _optimizer.Update(new ParameterChunk(w.Weights, w.Sum ?? w.Gradients, w.States.AsSpan(), p.First, p.Count)
        {
            GradientScale = gradientScale,
            LearningRate = learningRate * w.RateMultiplier,
            WeightDecay = w.WeightDecay,
            Step = step,
        });
    });

    /// <summary>Moves the moving averages of all weights that have one towards the weights.</summary>
    /// <param name="decay">Share that is kept.</param>
    public void Average(double decay) => ForEachPiece(p =>
    {
        if (_weights[p.Weight].Average is { } average)
        {
            Average(Slice(average, p), Slice(_weights[p.Weight].Weights, p), decay);
        }
    });

    /// <summary>average ← decay·average + (1 − decay)·current.</summary>
    public static void Average(Span<Vector<float>> average, ReadOnlySpan<Vector<float>> current, double decay)
    {
        var keep = new Vector<float>((float)decay);
        var take = new Vector<float>((float)(1 - decay));
        for (var i = 0; i < average.Length; i++)
        {
            average[i] = keep * average[i] + take * current[i];
        }
    }

    private static Span<Vector<float>> Slice(TensorBuffer buffer, Piece piece) => buffer.Vectors<float>().Slice(piece.First, piece.Count);

    // In double, where squares of float32 neither overflow nor vanish; two times four lanes, whatever the machine's width.
    private static double SumOfSquares(ReadOnlySpan<Vector<float>> vectors)
    {
        var lanes = MemoryMarshal.Cast<Vector<float>, Vector256<float>>(vectors);
        var low = Vector256<double>.Zero;
        var high = Vector256<double>.Zero;
        foreach (var lane in lanes)
        {
            var (a, b) = Vector256.Widen(lane);
            low += a * a;
            high += b * b;
        }

        return Vector256.Sum(low + high);
    }

    private void ForEachPiece(Action<Piece> work) => ForEachPiece((p, _) => work(p));

    private void ForEachPiece(Action<Piece, int> work)
    {
        if (_threads == 1)
        {
            for (var i = 0; i < _pieces.Length; i++)
            {
                work(_pieces[i], i);
            }

            return;
        }

        Parallel.For(0, _threads, new ParallelOptions { MaxDegreeOfParallelism = _threads }, t =>
        {
            var end = (int)((long)_pieces.Length * (t + 1) / _threads);
            for (var i = (int)((long)_pieces.Length * t / _threads); i < end; i++)
            {
                work(_pieces[i], i);
            }
        });
    }

    private readonly record struct Piece(int Weight, int First, int Count);
}
