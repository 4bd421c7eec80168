using System.Collections.Immutable;
using System.Runtime.ExceptionServices;
using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.Inference;
using Build.ML.Abstractions.Techniques;
using Build.ML.Calibration;
using Build.ML.Graph;
using Build.ML.Graph.Tensors;

namespace Build.ML.Quantization.Static;

/// <summary>How near the outputs of a quantized model are to those of the model it came from.</summary>
/// <param name="SqnrDecibels">10·log10(Σy²/Σ(y−ŷ)²) over all float outputs; infinite when equal.</param>
/// <param name="Agreement">Share of rows (along the last axis) of the first output whose greatest element is at the same place, 0 to 1.</param>
internal readonly record struct Fidelity(double SqnrDecibels, double Agreement);

/// <summary>Measures fidelity on a few samples, whose real outputs it keeps.</summary>
internal sealed class OutputFidelity
{
    private readonly StepContext _context;
    private readonly Batch[] _batches;
    private readonly ImmutableArray<Tensor>[] _expected;

    /// <summary>Runs the real model.</summary>
    /// <param name="model">The model before quantization.</param>
    /// <param name="data">Where the samples come from.</param>
    /// <param name="samples">How many of its first samples to use.</param>
    /// <param name="context">Inference and threads.</param>
    public OutputFidelity(Model model, DataSet data, int samples, StepContext context)
    {
        _context = context;
        var left = samples;
        var batches = new List<Batch>();
        foreach (var batch in data.Batches(Batching.SizeFor(model)))
        {
            if (left <= 0)
            {
                break;
            }

            batches.Add(batch);
            left -= batch.Count;
        }

        _batches = [.. batches];
        _expected = Run(model);
    }

    /// <summary>Runs a quantized model and compares.</summary>
    public Fidelity Measure(Model quantized)
    {
        var actual = Run(quantized);
        double signal = 0, noise = 0;
        long rows = 0, same = 0;
        for (var b = 0; b < actual.Length; b++)
        {
            for (var o = 0; o < actual[b].Length; o++)
            {
                if (actual[b][o].Type != DataType.Float)
                {
                    continue;
                }

                using var expected = _expected[b][o].Read<float>();
                using var got = actual[b][o].Read<float>();
                Compare(expected.Span, got.Span, ref signal, ref noise);
                if (o == 0)
                {
                    CompareGreatest(expected.Span, got.Span, actual[b][o].Sizes, ref rows, ref same);
                }
            }
        }

        return new(noise == 0 ? double.PositiveInfinity : 10 * Math.Log10(signal / noise), rows == 0 ? 1 : (double)same / rows);
    }

    private ImmutableArray<Tensor>[] Run(Model model)
    {
        var outputs = new ImmutableArray<Tensor>[_batches.Length];
        var threads = Math.Max(Math.Min(_context.Threads, _batches.Length), 1);
        try
        {
            Parallel.For(0, threads, new ParallelOptions { MaxDegreeOfParallelism = threads }, worker =>
            {
                using var session = _context.Inference.Open(model, new InferenceOptions());
                for (var b = worker; b < _batches.Length; b += threads)
                {
                    _context.Cancellation.ThrowIfCancellationRequested();
                    outputs[b] = session.Run(_batches[b].Inputs);
                }
            });
        }
        catch (AggregateException e) when (e.InnerException is not null)
        {
            ExceptionDispatchInfo.Throw(e.InnerException);
        }

        return outputs;
    }

    private static void Compare(ReadOnlySpan<float> expected, ReadOnlySpan<float> got, ref double signal, ref double noise)
    {
        for (var i = 0; i < expected.Length; i++)
        {
            double e = expected[i], d = e - got[i];
            signal += e * e;
            noise += d * d;
        }
    }

    private static void CompareGreatest(ReadOnlySpan<float> expected, ReadOnlySpan<float> got, ImmutableArray<long> sizes, ref long rows, ref long same)
    {
        var width = sizes.Length == 0 ? 1 : (int)sizes[^1];
        for (var start = 0; start + width <= expected.Length && width > 0; start += width)
        {
            rows++;
            if (System.Numerics.Tensors.TensorPrimitives.IndexOfMax(expected.Slice(start, width))
                == System.Numerics.Tensors.TensorPrimitives.IndexOfMax(got.Slice(start, width)))
            {
                same++;
            }
        }
    }
}
