using Build.ML.Benchmarks.Frame;
using Build.ML.Caching.Files;
using Build.ML.Caching.Stores;
using Build.ML.Engine;

namespace Build.ML.Benchmarks;

/// <summary>
/// A large artifact taken from the cache by a process that has not seen it before, so that its hash is verified, against copying the file.
/// </summary>
[Benchmark("cache-hit")]
public sealed class CacheHit : IBenchmark
{
    private const string File = "model.onnx";
    private static readonly string Fingerprint = new('a', 64);

    /// <inheritdoc/>
    public string Summary => "a 1 GB artifact restored, hash verified: no copy where the file system can share; else at most 1.1 x cp";

    /// <inheritdoc/>
    public Outcome Run(BenchmarkContext context)
    {
        var (cache, model, copy) = (Path.Combine(context.Folder, "cache"), Path.Combine(context.Folder, "put"), Path.Combine(context.Folder, "copy.onnx"));
        // --target on another file system shows the copying restore.
        var target = Path.Combine(context.Option("target", context.Folder), $"got-{Path.GetRandomFileName()}");
        Directory.CreateDirectory(model);
        LargeModel.Write(Path.Combine(model, File), context.Option("bytes", 1L << 30));
        using (var store = Open(cache))
        {
            store.Put(Fingerprint, model, [File], new Dictionary<string, string>());
        }

        var content = Directory.EnumerateFiles(cache, "*", SearchOption.AllDirectories).MaxBy(f => new FileInfo(f).Length)!;
        var shared = CanShare(content, target);
        var sides = Interleaved.Run(
            (int)context.Option("rounds", 7),
            "s",
            ("restore", () =>
            {
                ReadOnlyFile.DeleteFolder(target);
                Directory.CreateDirectory(target);
                return context.RunChild(cache, target).OwnSeconds;
            }
        ),
            ("copy and hash in one pass", () =>
            {
                ReadOnlyFile.Delete(copy);
                return Interleaved.Seconds(() => FileHash.Copy(content, copy));
            }
        ),
            (FileCopy.Name, () =>
            {
                ReadOnlyFile.Delete(copy);
                return Interleaved.Seconds(() => FileCopy.Run(content, copy));
            }
        ));
        var copies = shared && FileIdentity.Of(content)!.Value.Node != FileIdentity.Of(Path.Combine(target, File))!.Value.Node ? 1 : 0;
        ReadOnlyFile.DeleteFolder(target);
        var copying = sides[1].Median / sides[2].Median;
        return shared
            ? new Outcome(copies, 0, "copies") { Details = [.. sides, new("restore without sharing", copying, copying, copying, $"x {FileCopy.Name}")] }
            : new Outcome(sides[0].Median / sides[2].Median, 1.1, $"x {FileCopy.Name}") { Details = sides };
    }

    /// <inheritdoc/>
    public void RunChild(IReadOnlyList<string> arguments)
    {
        using var store = Open(arguments[0]);
        _ = store.TryGet(Fingerprint, arguments[1]) ?? throw new InvalidOperationException("The artifact is not in the cache.");
    }

    private static IArtifactStore Open(string path) => BuildEngine.OpenStore(new EngineOptions { CachePath = path, WorkPath = path });

    private static bool CanShare(string content, string target)
    {
        var how = FileSharing.TryShare(content, target);
        ReadOnlyFile.Delete(target);
        return how is not null;
    }
}
