using System.Globalization;

namespace Build.ML.Benchmarks.Frame;

/// <summary>Programs of the folder <c>Peers</c>, which do the same with other tools.</summary>
internal static class PythonPeer
{
    /// <summary>Runs one and reads the numbers that it prints.</summary>
    /// <param name="context">Option <c>--python</c>: the program that runs it, default <c>python3</c>.</param>
    /// <param name="script">A file of the folder.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <exception cref="MissingDataException">There is no such Python.</exception>
    public static double[] Run(BenchmarkContext context, string script, IReadOnlyList<string> arguments)
    {
        var python = context.Option("python", "python3");
        if (!Path.IsPathRooted(python) && !ChildProcess.Exists(python))
        {
            throw new MissingDataException($"{script} needs a Python with PyTorch and NumPy, '{python}' is not in the search path: pass --python PROGRAM.");
        }

        var output = ChildProcess.Run(python, [Path.Combine(AppContext.BaseDirectory, "Peers", script), .. arguments]);
        return Array.ConvertAll(output.Split(' ', StringSplitOptions.RemoveEmptyEntries), s => double.Parse(s, CultureInfo.InvariantCulture));
    }
}
