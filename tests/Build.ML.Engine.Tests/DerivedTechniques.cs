using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;

namespace Build.ML.Engine.Tests;

/// <summary>Adds the greatest number of the data times the first weight to the weights; that product is kept for others.</summary>
[Technique("test.derive")]
public sealed class Derive : Technique<Derive.Options>
{
    public sealed record Options
    {
        public required DataReference Data { get; init; }

        /// <summary>Not part of what is derived.</summary>
        public double Shift { get; init; }
    }

    public static int Computed { get; set; }

    public static TimeSpan Duration { get; set; }

    public override StepResult Apply(Model model, Options options, StepContext context)
    {
        var hash = context.DataFingerprint(options.Data);
        Assert.NotNull(hash);
        Assert.Null(context.DataFingerprint(new DataReference("test"))); // not among the options
        var key = new DerivedKey("greatest product", ("model", model.ContentHash()), ("data", hash));
        using var held = context.Cache.Hold(key);
        var product = Kept(context.Cache, key);
        if (product is null)
        {
            Computed++;
            context.Cancellation.WaitHandle.WaitOne(Duration);
            var data = context.Data(options.Data);
            product = Enumerable.Range(0, data.Count).Max(i => data[i].Inputs[0].Value.ToArray<float>().Max()) * model.Graph.Initializers[0].Initializer!.ToArray<float>()[0];
            context.Cache.Add(key, stream => stream.Write(BitConverter.GetBytes(product.Value)));
        }

        Weights.Edit(model, w => w + product.Value + (float)options.Shift);
        return new(model);
    }

    private static float? Kept(IDerivedCache cache, DerivedKey key)
    {
        using var stream = cache.TryOpen(key);
        if (stream is null)
        {
            return null;
        }

        var bytes = new byte[sizeof(float)];
        stream.ReadExactly(bytes);
        return BitConverter.ToSingle(bytes);
    }
}

/// <summary>Adds 1 to the weights ten times, noting after each time how often.</summary>
[Technique("test.resume")]
public sealed class Resume : Technique<Resume.Options>
{
    private const int Rounds = 10;

    public sealed record Options
    {
        public double Amount { get; init; } = 1;
    }

    /// <summary>Rounds until the power goes.</summary>
    public static int Left { get; set; }

    public static int Done { get; set; }

    public static string Folder { get; private set; } = "";

    public override StepResult Apply(Model model, Options options, StepContext context)
    {
        Folder = context.CheckpointDirectory;
        var done = Directory.GetFiles(Folder).Length;
        for (; done < Rounds; done++)
        {
            if (Left-- <= 0)
            {
                throw new InvalidOperationException("power failure");
            }

            Done++;
            File.WriteAllText(Path.Combine(Folder, $"round{done}"), "done");
        }

        Weights.Edit(model, w => w + (float)(done * options.Amount));
        return new(model);
    }
}
