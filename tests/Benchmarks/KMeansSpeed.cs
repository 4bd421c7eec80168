using System.Globalization;
using System.Runtime.InteropServices;
using Build.ML.Benchmarks.Frame;
using Build.ML.Training.Random;
using Build.ML.WeightSharing.Clustering;

namespace Build.ML.Benchmarks;

/// <summary>k-means of as many weights as a large layer has, against scikit-learn on the same numbers.</summary>
[Benchmark("kmeans")]
public sealed class KMeansSpeed : IBenchmark
{
    private const int Threads = 2;

    /// <inheritdoc/>
    public string Summary => "k-means of 100 million weights (--count) to 16 clusters (--clusters) over scikit-learn (--python PROGRAM, 2 threads): at most 0.1, at no greater error";

    /// <inheritdoc/>
    public Outcome Run(BenchmarkContext context)
    {
        var numbers = new float[context.Option("count", 100_000_000)];
        var clusters = (int)context.Option("clusters", 16);
        new CounterRandom(1).FillNormal(numbers, 0, 0.02f);
        using (var file = File.Create(Path.Combine(context.Folder, "numbers.f32")))
        {
            for (var first = 0; first < numbers.Length; first += Chunks.Size)
            {
                file.Write(MemoryMarshal.AsBytes(numbers.AsSpan(first, Math.Min(Chunks.Size, numbers.Length - first))));
            }
        }

        Fit(numbers.AsSpan(0, SortedNumbers.ExactLimit + 1), clusters, KMeansStart.Linear); // compiles the code
        List<double> own = [], best = [], peer = [];
        double ownError = 0, peerError = 0;
        for (var round = 0; round < context.Option("rounds", 1); round++)
        {
            float[] centroids = [];
            own.Add(Interleaved.Seconds(() => centroids = Fit(numbers, clusters, KMeansStart.Linear)));
            best.Add(Interleaved.Seconds(() => centroids = Fit(numbers, clusters, KMeansStart.Optimal)));
            ownError = Error(numbers, centroids);
            var seconds = RunPeer(context, clusters);
            peer.Add(seconds[0]);
            // Its own sum of squares is taken in float, which a hundred million addends exceed.
            peerError = Error(numbers, MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(Path.Combine(context.Folder, "centers.f32"))).ToArray());
            context.Log(string.Create(CultureInfo.InvariantCulture, $"  {own[^1]:0.00} s, {best[^1]:0.00} s; scikit-learn {seconds[0]:0.0} s ({seconds[1]:0} rounds)"));
        }

        return new Outcome(Interleaved.Median(best) / Interleaved.Median(peer), 0.1, "x scikit-learn")
        {
            // A thousandth: where it ends depends on its random start.
            Conditions = [new("squared error", ownError / peerError, 1.001, "x scikit-learn's")],
            Details = [Of("linear start", own), Of("optimal start", best), Of("scikit-learn", peer)],
        };
    }

    private static float[] Fit(ReadOnlySpan<float> numbers, int clusters, KMeansStart start) =>
        KMeans.Centroids(numbers, NumberSummary.Of(numbers, Threads), clusters, start, false, new CounterRandom(1), Threads);

    private static double Error(float[] numbers, float[] centroids)
    {
        var intervals = new Intervals(Intervals.Between(centroids));
        var error = 0d;
        foreach (var number in numbers)
        {
            var distance = (double)number - centroids[intervals.Of(number)];
            error += distance * distance;
        }

        return error;
    }

    private static double[] RunPeer(BenchmarkContext context, int clusters)
    {
        var python = context.Option("python", "python3");
        if (!Path.IsPathRooted(python) && !ChildProcess.Exists(python))
        {
            throw new MissingDataException($"kmeans needs a Python with scikit-learn, '{python}' is not in the search path: pass --python PROGRAM.");
        }

        var output = ChildProcess.Run(
            python,
            [
                Path.Combine(AppContext.BaseDirectory, "Peers", "kmeans_peer.py"), context.Folder, clusters.ToString(CultureInfo.InvariantCulture),
                Threads.ToString(CultureInfo.InvariantCulture),
            ]);
        return Array.ConvertAll(output.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries), s => double.Parse(s, CultureInfo.InvariantCulture));
    }

    private static Measured Of(string name, List<double> seconds) => new(name, Interleaved.Median(seconds), seconds.Min(), seconds.Max(), "s");
}
