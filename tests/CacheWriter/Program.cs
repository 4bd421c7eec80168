// CacheWriter STORE-NAME CACHE-PATH WORK-PATH SEED COUNT: puts COUNT sample artifacts (0: until killed) and takes them back.
// Prints the code of each diagnostic, and at the end what verifying the store found.
using System.Globalization;
using Build.ML.Caching.Stores;
using Build.ML.CacheWriter;
using Build.ML.Graph.Catalogs;
using Build.ML.Graph.Diagnostics;

var work = Directory.CreateDirectory(args[2]).FullName;
var random = new Random(int.Parse(args[3], CultureInfo.InvariantCulture));
var count = int.Parse(args[4], CultureInfo.InvariantCulture);
using var store = Catalog<ICacheStore>.Scan(typeof(ICacheStore).Assembly).Find(args[0])!.Create().Open(new StoreOptions { Path = args[1] });
Console.WriteLine("ready");
for (var i = 0; count == 0 || i < count; i++)
{
    var sample = new SampleArtifact(random.Next(SampleArtifact.Kinds));
    var folder = Directory.CreateDirectory(Path.Combine(work, $"put{i}")).FullName;
    var back = Directory.CreateDirectory(Path.Combine(work, $"get{i}")).FullName;
    sample.Write(folder);
    try
    {
        store.Put(sample.Fingerprint, folder, sample.Files, new Dictionary<string, string>());
    }
    catch (DiagnosticException e)
    {
        Console.WriteLine(e.Diagnostics[0].Code);
    }

    if (store.TryGet(sample.Fingerprint, back) is not null)
    {
        sample.Check(back);
        Console.WriteLine("hit");
    }

    Directory.Delete(folder, recursive: true);
    Directory.Delete(back, recursive: true);
}

Console.WriteLine($"damaged {store.Verify().Count}");
return 0;
