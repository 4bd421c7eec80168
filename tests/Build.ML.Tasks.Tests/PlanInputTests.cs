using Build.ML.Tasks.Planning;

namespace Build.ML.Tasks.Tests;

/// <summary>When a file counts as changed.</summary>
public sealed class PlanInputTests : IDisposable
{
    // Above it only size and time are looked at while these are settled.
    const int Large = 100 * 1024;

    readonly TemporaryFolder folder = new();

    [Theory]
    [InlineData(10)]
    [InlineData(Large)]
    public void An_untouched_file_is_the_same(int size)
    {
        var input = Written(new byte[size]);

        Assert.Same(input, input.Refresh(Later(input)));
    }

    [Theory]
    [InlineData(10)]
    [InlineData(Large)]
    public void A_touched_file_keeps_its_content_and_takes_the_new_time(int size)
    {
        var input = Written(new byte[size]);
        var time = File.GetLastWriteTimeUtc(input.Path).AddHours(-3);
        File.SetLastWriteTimeUtc(input.Path, time);

        var now = input.Refresh(Later(input));

        Assert.NotNull(now);
        Assert.Equal(time.Ticks, now.Modified);
    }

    [Fact]
    public void Another_content_with_an_older_time_is_a_change()
    {
        var input = Written(new byte[Large]);
        Rewrite(input, File.GetLastWriteTimeUtc(input.Path).AddHours(-3));

        Assert.Null(input.Refresh(Later(input)));
    }

    [Fact]
    public void Another_content_of_a_small_file_is_a_change_even_with_its_size_and_time()
    {
        var input = Written(new byte[10]);
        Rewrite(input, new DateTime(input.Modified, DateTimeKind.Utc));

        Assert.Null(input.Refresh(Later(input)));
    }

    [Fact]
    public void Another_content_written_while_the_clock_stood_still_is_a_change()
    {
        var input = Written(new byte[Large]);
        Rewrite(input, new DateTime(input.Modified, DateTimeKind.Utc));

        Assert.Null(input.Refresh(recorded: input.Modified + TimeSpan.TicksPerMillisecond));
    }

    [Fact]
    public void A_file_that_is_gone_or_grew_is_a_change()
    {
        var gone = Written(new byte[10]);
        File.Delete(gone.Path);
        Assert.Null(gone.Refresh(Later(gone)));

        var grown = Written(new byte[10]);
        File.AppendAllText(grown.Path, "x");
        Assert.Null(grown.Refresh(Later(grown)));
    }

    [Fact]
    public void A_file_more_in_a_folder_is_a_change_of_the_folder()
    {
        var path = Path.GetDirectoryName(folder.PathOf("images/a.png"))!;
        Directory.SetLastWriteTimeUtc(path, DateTime.UnixEpoch);
        var input = new PlanInput(path, -2, Directory.GetLastWriteTimeUtc(path).Ticks, "");
        Assert.Same(input, input.Refresh(Later(input)));

        folder.Write("images/a.png", "");

        Assert.Null(input.Refresh(Later(input)));
    }

    public void Dispose() => folder.Dispose();

    static long Later(PlanInput input) => input.Modified + TimeSpan.TicksPerHour;

    static void Rewrite(PlanInput input, DateTime time)
    {
        var content = File.ReadAllBytes(input.Path);
        content[^1] ^= 1;
        File.WriteAllBytes(input.Path, content);
        File.SetLastWriteTimeUtc(input.Path, time);
    }

    PlanInput Written(byte[] content)
    {
        var path = folder.PathOf(Path.GetRandomFileName());
        File.WriteAllBytes(path, content);
        return new PlanInput(path, content.Length, File.GetLastWriteTimeUtc(path).Ticks, PlanInput.Hash(path));
    }
}
