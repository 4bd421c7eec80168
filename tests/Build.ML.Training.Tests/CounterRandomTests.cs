using Build.ML.Training.Random;

namespace Build.ML.Training.Tests;

public sealed class CounterRandomTests
{
    // kat_vectors of Random123, the authors' own library: counter, key, output.
    [Theory]
    [InlineData(new uint[] { 0, 0, 0, 0 }, new uint[] { 0, 0 }, new uint[] { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 })]
    [InlineData(
        new[] { uint.MaxValue, uint.MaxValue, uint.MaxValue, uint.MaxValue }, new[] { uint.MaxValue, uint.MaxValue },
        new uint[] { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd })]
    [InlineData(
        new uint[] { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 }, new uint[] { 0xa4093822, 0x299f31d0 },
        new uint[] { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 })]
    public void Blocks_are_the_published_known_answers(uint[] counter, uint[] key, uint[] expected)
    {
        static ulong Pair(uint[] words, int i) => words[i] | ((ulong)words[i + 1] << 32);
        var (low, high) = Philox.Block(Pair(key, 0), Pair(counter, 0), Pair(counter, 2));
        uint[] actual = [(uint)low, (uint)(low >> 32), (uint)high, (uint)(high >> 32)];
        Assert.Equal(expected, actual);
        var words = new uint[16];
        Philox.Blocks(Pair(key, 0), Pair(counter, 0), Pair(counter, 2), words);
        Assert.Equal(expected, words[..4]);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [InlineData(41)]
    public void Filling_gives_the_words_that_drawing_gives_from_any_position(long position)
    {
        // The counter crosses 2³², where a carry between its words would go wrong.
        var start = position + (4L << 32) - 20;
        var one = new CounterRandom(5, 9) { Position = start };
        var expected = new uint[103];
        for (var i = 0; i < expected.Length; i++)
        {
            expected[i] = one.NextUInt();
        }

        var many = new CounterRandom(5, 9) { Position = start };
        var words = new uint[103];
        many.FillWords(words);
        Assert.Equal(expected, words);
        Assert.Equal(one.Position, many.Position);
        var rest = new CounterRandom(5, 9) { Position = start + 50 };
        Assert.Equal(expected[50], rest.NextUInt());
    }

    [Fact]
    public void Numbers_do_not_depend_on_how_an_array_is_cut()
    {
        var whole = new float[1000];
        var pieces = new float[1000];
        var a = new CounterRandom(1, 2);
        a.FillNormal(whole, 1, 3);
        foreach (var size in new[] { 1, 7, 64, 500, 428 })
        {
            var start = (int)new[] { 0, 1, 8, 72, 572 }[Array.IndexOf(new[] { 1, 7, 64, 500, 428 }, size)];
            var b = new CounterRandom(1, 2) { Position = start };
            b.FillNormal(pieces.AsSpan(start, size), 1, 3);
        }

        Assert.Equal(whole, pieces);
    }

    [Fact]
    public void Streams_seeds_and_forks_share_no_numbers()
    {
        var seen = new HashSet<(uint, uint)>();
        foreach (var random in new[]
        {
            new CounterRandom(0), new CounterRandom(1), new CounterRandom(0, 1), new CounterRandom(0).Fork(0), new CounterRandom(0).Fork(1), new CounterRandom(0, 1).Fork(0),
            new CounterRandom(0).Fork(0).Fork(0),
        })
        {
            var drawn = random;
            Assert.True(seen.Add((drawn.NextUInt(), drawn.NextUInt())));
        }

        var advanced = new CounterRandom(0, 1) { Position = 17 };
        Assert.Equal(new CounterRandom(0, 1).Fork(4), advanced.Fork(4));
    }

    [Fact]
    public void Normal_numbers_are_the_quantiles_of_their_words()
    {
        var random = new CounterRandom(3);
        var words = random;
        for (var i = 0; i < 20_000; i++)
        {
            double z = random.Normal();
            var p = ((2.0 * (words.NextUInt() >> 9)) + 1) / (1 << 24);

            // Φ(z) − p = φ(z) · error of z; two millionths of a deviation where the density is not tiny.
            Assert.InRange((Distribution(z) - p) / Density(z), -2e-5, 2e-5);
            if (Math.Abs(z) < 3)
            {
                Assert.InRange((Distribution(z) - p) / Density(z), -2e-6, 2e-6);
            }
        }

        static double Density(double z) => Math.Exp(-z * z / 2) / Math.Sqrt(2 * Math.PI);

        // Φ(z) = ½ + φ(z) (z + z³/3 + z⁵/15 + …), which has only positive terms.
        static double Distribution(double z)
        {
            var (sum, term) = (z, z);
            for (var n = 3; Math.Abs(term) > 1e-18; n += 2)
            {
                sum += term *= z * z / n;
            }

            return 0.5 + (Density(z) * sum);
        }
    }

    [Fact]
    public void Moments_are_those_of_the_distributions()
    {
        const int count = 1 << 20;
        var values = new float[count];
        var random = new CounterRandom(11);
        random.FillUniform(values, -1, 3);

        // Tolerances: five standard errors, deviation/√n.
        Assert.InRange(Mean(values), 1 - (5 * 1.1547 / 1024), 1 + (5 * 1.1547 / 1024));
        Assert.All(values, v => Assert.InRange(v, -1, 3));
        random.FillNormal(values, 2, 0.5f);
        Assert.InRange(Mean(values), 2 - (5 * 0.5 / 1024), 2 + (5 * 0.5 / 1024));
        Assert.InRange(Mean(Array.ConvertAll(values, v => (v - 2) * (v - 2))), 0.25 - (5 * 0.3536 / 1024), 0.25 + (5 * 0.3536 / 1024));
        random.FillMask(values, 0.8);
        Assert.Equal([0f, 1.25f], values.Distinct().Order());
        Assert.InRange(Mean(values), 1 - (5 * 0.5 / 1024), 1 + (5 * 0.5 / 1024));
        random.FillMask(values, 1);
        Assert.All(values, v => Assert.Equal(1, v));
        var counts = new int[7];
        for (var i = 0; i < 70_000; i++)
        {
            counts[random.Below(7)]++;
        }

        Assert.All(counts, c => Assert.InRange(c, 10_000 - 470, 10_000 + 470)); // √(70000 · 1/7 · 6/7) = 93
    }

    [Fact]
    public void Bits_are_the_same_on_every_machine()
    {
        // Computed once with vectors of 8 floats, of 4, and without vector instructions; a change here changes every trained model.
        var values = new float[37];
        new CounterRandom(2026, 3).FillNormal(values);
        var hash = 17;
        foreach (var value in values)
        {
            hash = (hash * 31) + BitConverter.SingleToInt32Bits(value);
        }

        Assert.Equal(1340579830, hash);
    }

    static double Mean(float[] values) => values.Average(v => (double)v);
}
