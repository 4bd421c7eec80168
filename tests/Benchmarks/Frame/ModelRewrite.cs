namespace Build.ML.Benchmarks.Frame;

/// <summary>What a child process takes to read a large model and write it again, against copying the file.</summary>
public static class ModelRewrite
{
    /// <summary>Runs both in turns; options <c>--bytes</c> (default 1 GiB) and <c>--rounds</c> (default 7).</summary>
    /// <param name="context">The child process gets the model's path and the target's.</param>
    /// <param name="side">What the child does, for reading.</param>
    /// <param name="limit">Greatest ratio of the medians.</param>
    /// <param name="peakLimit">Greatest peak memory of the child, in MB.</param>
    public static Outcome OverCopy(BenchmarkContext context, string side, double limit, double peakLimit)
    {
        var model = Path.Combine(context.Folder, "model.onnx");
        var target = Path.Combine(context.Folder, "target.onnx");
        LargeModel.Write(model, context.Option("bytes", 1L << 30));
        long peak = 0;
        var sides = Interleaved.Run((int)context.Option("rounds", 7), "s", (side, Rewrite), (FileCopy.Name, Copy));
        return new Outcome(sides[0].Median / sides[1].Median, limit, $"x {FileCopy.Name}")
        {
            Details = sides,
            Conditions = [new("peak memory", peak / 1e6, peakLimit, "MB")],
        };

        double Rewrite()
        {
            File.Delete(target);
            var child = context.RunChild(model, target);
            peak = Math.Max(peak, child.PeakBytes);
            return child.Seconds;
        }

        double Copy()
        {
            File.Delete(target);
            return Interleaved.Seconds(() => FileCopy.Run(model, target));
        }
    }
}
