using System.Diagnostics;
using Build.ML.CacheWriter;
using Build.ML.Caching.Files;
using Build.ML.Caching.Stores;
using Build.ML.Graph.Catalogs;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Caching.Tests;

/// <summary>What every store of the catalog must do.</summary>
public sealed class StoreContractTests : IDisposable
{
    private static readonly Catalog<ICacheStore> Catalog = Catalog<ICacheStore>.Scan(typeof(ICacheStore).Assembly);
    private static readonly Dictionary<string, string> NoFacts = [];

    private readonly TemporaryFolder _folder = new();
    private readonly List<Diagnostic> _reports = [];
    private int _folders;

    public static TheoryData<string> Stores() => [.. Catalog.Names];

    public void Dispose() => _folder.Dispose();

    [Theory, MemberData(nameof(Stores))]
    public void What_was_put_comes_back_with_its_facts(string name)
    {
        using var store = Open(name);
        var sample = new SampleArtifact(0);
        var put = store.Put(sample.Fingerprint, Written(sample), sample.Files, new Dictionary<string, string> { ["content"] = "a=b\nc", [""] = "" });
        var target = NewFolder();
        var got = store.TryGet(sample.Fingerprint, target);
        Assert.Equal("a=b\nc", got!.Facts["content"]);
        Assert.Equal(put.Files.AsEnumerable(), got.Files);
        Assert.Equal(FileHash.Of(Path.Combine(target, "model.onnx")), got.Files.Single(f => f.Name == "model.onnx").Sha256);
        sample.Check(target);
        Assert.Empty(_reports);
    }

    [Theory, MemberData(nameof(Stores))]
    public void An_unknown_fingerprint_is_a_miss(string name)
    {
        using var store = Open(name);
        Assert.Null(store.TryGet(new string('0', 64), NewFolder()));
    }

    [Theory, MemberData(nameof(Stores))]
    public void Putting_again_replaces(string name)
    {
        using var store = Open(name);
        var (first, second) = (new SampleArtifact(0), new SampleArtifact(1));
        store.Put(first.Fingerprint, Written(first), first.Files, NoFacts);
        store.Put(first.Fingerprint, Written(second), second.Files, NoFacts);
        var target = NewFolder();
        store.TryGet(first.Fingerprint, target);
        second.Check(target);
    }

    [Theory, MemberData(nameof(Stores))]
    public void A_name_that_leaves_the_folder_is_refused(string name)
    {
        using var store = Open(name);
        foreach (var bad in new[] { "../x", "/x", "a/../../x", "", "a//b", "a\\b" })
        {
            Assert.Throws<ArgumentException>(() => store.Put(new string('0', 64), NewFolder(), [bad], NoFacts));
        }
    }

    [Theory, MemberData(nameof(Stores))]
    public void After_any_file_of_the_store_was_cut_or_altered_nothing_wrong_comes_back(string name)
    {
        var sample = new SampleArtifact(2);
        var hits = 0;
        foreach (var damage in new Action<string>[] { Cut, Empty, FlipByte, File.Delete })
        {
            Filled(name, sample, out var path);
            var files = Directory.EnumerateFiles(path, "*", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(path, f)).ToList();
            foreach (var file in files)
            {
                Filled(name, sample, out path);
                damage(Path.Combine(path, file));
                using var store = Open(name, path);
                var target = NewFolder();
                if (store.TryGet(sample.Fingerprint, target) is null)
                {
                    Assert.Empty(Directory.EnumerateFiles(target, "*", SearchOption.AllDirectories));
                    store.Put(sample.Fingerprint, Written(sample), sample.Files, NoFacts); // heals
                    Assert.NotNull(store.TryGet(sample.Fingerprint, target));
                }
                else
                {
                    hits++;
                }

                sample.Check(target);
            }
        }

        Assert.True(hits <= 4, $"{hits} hits: damage was not seen"); // the lock file holds nothing
        Assert.Contains(_reports, r => r.Code == "BML4001");
        Assert.Contains(_reports, r => r.Code == "BML4004");
    }

    [Theory, MemberData(nameof(Stores))]
    public void Verify_names_and_drops_what_is_damaged(string name)
    {
        var sample = new SampleArtifact(3);
        Filled(name, sample, out var path);
        using var store = Open(name, path);
        Assert.Empty(store.Verify());
        var content = Directory.EnumerateFiles(path, "*", SearchOption.AllDirectories).MaxBy(f => new FileInfo(f).Length)!;
        FlipByte(content);
        var found = store.Verify();
        Assert.Equal(["BML4001", "BML4004"], found.Select(d => d.Code).Order());
        Assert.Contains(Path.GetFileName(content), found.Single(d => d.Code == "BML4001").Message);
        Assert.Empty(store.Verify());
        Assert.Equal(0, store.Statistics().Artifacts);
    }

    [Theory, MemberData(nameof(Stores))]
    public void A_user_who_overwrites_a_restored_file_in_place_cannot_poison_the_store(string name)
    {
        var sample = new SampleArtifact(4);
        Filled(name, sample, out var path);
        using var store = Open(name, path);
        var target = NewFolder();
        store.TryGet(sample.Fingerprint, target);
        var file = Path.Combine(target, "model.onnx");
        File.SetAttributes(file, FileAttributes.Normal);
        using (var stream = File.OpenWrite(file))
        {
            stream.WriteByte(0xAA);
            stream.WriteByte(0x55);
        }

        var again = NewFolder();
        if (store.TryGet(sample.Fingerprint, again) is not null)
        {
            sample.Check(again); // file systems with reflink
        }
        else
        {
            Assert.Contains(_reports, r => r.Code == "BML4001");
        }
    }

    [Theory, MemberData(nameof(Stores))]
    public void A_store_whose_folder_was_deleted_meanwhile_goes_on(string name)
    {
        var path = NewFolder();
        var sample = new SampleArtifact(5);
        using var store = Open(name, path);
        store.Put(sample.Fingerprint, Written(sample), sample.Files, NoFacts);
        Directory.Delete(path, recursive: true);
        Assert.Null(store.TryGet(sample.Fingerprint, NewFolder()));
        store.Put(sample.Fingerprint, Written(sample), sample.Files, NoFacts);
        var target = NewFolder();
        Assert.NotNull(store.TryGet(sample.Fingerprint, target));
        sample.Check(target);
        Directory.Delete(path, recursive: true); // and so does its disposal
    }

    [Theory, MemberData(nameof(Stores))]
    public void Collecting_keeps_the_most_recently_used_within_the_limit(string name)
    {
        var clock = new StepClock();
        using var store = Open(name, time: clock);
        for (var kind = 0; kind < 6; kind++)
        {
            var sample = new SampleArtifact(kind);
            store.Put(sample.Fingerprint, Written(sample), sample.Files, NoFacts);
        }

        Assert.NotNull(store.TryGet(new SampleArtifact(0).Fingerprint, NewFolder())); // used last
        var before = store.Statistics();
        Assert.Equal((6, 13), (before.Artifacts, before.Contents)); // metrics.json is shared
        var outcome = store.Collect(before.Bytes / 2);
        var after = store.Statistics();
        Assert.True(after.Bytes <= before.Bytes / 2);
        Assert.Equal(before.Bytes - after.Bytes, outcome.Bytes);
        Assert.Equal(0, after.UnreferencedBytes);
        Assert.NotNull(store.TryGet(new SampleArtifact(0).Fingerprint, NewFolder()));
        Assert.Null(store.TryGet(new SampleArtifact(1).Fingerprint, NewFolder()));
        store.Collect(0);
        Assert.Equal(new StoreStatistics(0, 0, 0, 0), store.Statistics());
    }

    [Theory, MemberData(nameof(Stores))]
    public async Task Several_processes_write_and_read_at_once(string name)
    {
        var path = NewFolder();
        var writers = Enumerable.Range(0, 3).Select(seed => StartWriter(name, path, seed, count: 30)).ToList();
        foreach (var writer in writers)
        {
            await writer.WaitForExitAsync();
            Assert.Equal(0, writer.ExitCode);
            writer.Dispose();
        }

        CheckAll(name, path);
        using var store = Open(name, path);
        Assert.Empty(store.Verify());
    }

    [Theory, MemberData(nameof(Stores))]
    public async Task A_process_killed_at_a_random_moment_loses_nothing_and_leaves_nothing_wrong(string name)
    {
        var path = NewFolder();
        var random = new Random(7);
        for (var round = 0; round < 25; round++)
        {
            using var writer = StartWriter(name, path, round, count: 0);
            await writer.StandardOutput.ReadLineAsync(); // ready
            await Task.Delay(random.Next(0, 60));
            writer.Kill();
            await writer.WaitForExitAsync();
        }

        CheckAll(name, path);
        using var store = Open(name, path);
        Assert.DoesNotContain(store.Verify(), d => d.Code == "BML4001");
        var sample = new SampleArtifact(0);
        store.Put(sample.Fingerprint, Written(sample), sample.Files, NoFacts);
        var leftovers = Directory.EnumerateFiles(path, "*", SearchOption.AllDirectories)
            .Count(f => Path.GetRelativePath(path, f).Split(Path.DirectorySeparatorChar).Contains("tmp"));
        Assert.True(leftovers <= 1, $"{leftovers} temporary files of dead processes are left"); // one lock file is ours
    }

    [SkippableTheory, MemberData(nameof(Stores))]
    public async Task A_full_disk_is_a_diagnostic_and_leaves_no_half_entry(string name)
    {
        const string Reason = "needs a small file system of its own: unshare of util-linux with user namespaces (Debian: apt-get install util-linux)";
        Prerequisite.Require(OperatingSystem.IsLinux() && File.Exists("/usr/bin/unshare"), Reason);
        var path = NewFolder();
        // 2 MB hold some of the 16 samples of up to 0.6 MB each.
        var writer = $"'{DotnetHost}' '{typeof(SampleArtifact).Assembly.Location}' {name} '{path}' '{NewFolder()}' 5 60";
        using var shell = Process.Start(new ProcessStartInfo(
            "/usr/bin/unshare", ["--user", "--map-root-user", "--mount", "sh", "-c", $"mount -t tmpfs -o size=2m tmpfs '{path}' || exit 99; {writer}"])
        {
            RedirectStandardOutput = true,
        })!;
        var lines = (await shell.StandardOutput.ReadToEndAsync()).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        await shell.WaitForExitAsync();
        Prerequisite.Require(shell.ExitCode is 0 or 134 && lines.Length > 0, Reason);
        Assert.Equal(0, shell.ExitCode);
        Assert.Contains("hit", lines);
        Assert.Contains("BML4003", lines);
        Assert.All(lines, l => Assert.Contains(l, new[] { "ready", "hit", "BML4003", "damaged 0" }));
    }

    private static string DotnetHost =>
        Environment.ProcessPath is { } host && Path.GetFileNameWithoutExtension(host) == "dotnet" ? host : "dotnet";

    private static Process StartWriter(string name, string path, int seed, int count) => Process.Start(new ProcessStartInfo(
        DotnetHost,
        [typeof(SampleArtifact).Assembly.Location, name, path, Path.Combine(path + "-work", $"{seed}"), $"{seed}", $"{count}"])
    {
        RedirectStandardOutput = true,
    })!;

    private static void Cut(string file) => Edit(file, bytes => bytes[..(bytes.Length / 2)]);

    private static void Empty(string file) => Edit(file, _ => []);

    private static void FlipByte(string file) => Edit(file, bytes =>
    {
        if (bytes.Length > 0)
        {
            bytes[bytes.Length / 2] ^= 1;
        }

        return bytes;
    });

    private static void Edit(string file, Func<byte[], byte[]> edit)
    {
        File.SetAttributes(file, FileAttributes.Normal);
        File.WriteAllBytes(file, edit(File.ReadAllBytes(file)));
    }

    private void CheckAll(string name, string path)
    {
        using var store = Open(name, path);
        for (var kind = 0; kind < SampleArtifact.Kinds; kind++)
        {
            var target = NewFolder();
            var sample = new SampleArtifact(kind);
            if (store.TryGet(sample.Fingerprint, target) is not null)
            {
                sample.Check(target);
            }
        }

        Assert.Empty(_reports);
    }

    private void Filled(string name, SampleArtifact sample, out string path)
    {
        path = NewFolder();
        using var store = Open(name, path);
        store.Put(sample.Fingerprint, Written(sample), sample.Files, NoFacts);
    }

    private IArtifactStore Open(string name, string? path = null, TimeProvider? time = null) => Catalog.Find(name)!.Create().Open(
        new StoreOptions { Path = path ?? NewFolder(), Report = _reports.Add, TimeProvider = time ?? TimeProvider.System });

    private string Written(SampleArtifact sample)
    {
        var folder = NewFolder();
        sample.Write(folder);
        return folder;
    }

    private string NewFolder() => Directory.CreateDirectory(_folder.PathOf($"{_folders++}")).FullName;

    /// <summary>A minute passes between any two looks.</summary>
    private sealed class StepClock : TimeProvider
    {
        private DateTimeOffset _now = System.GetUtcNow();

        public override DateTimeOffset GetUtcNow() => _now += TimeSpan.FromMinutes(1);
    }
}
