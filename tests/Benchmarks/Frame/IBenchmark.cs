using Build.ML.Graph.Catalogs;

namespace Build.ML.Benchmarks.Frame;

/// <summary>One measured claim of the project. Adding one is adding one file: a sealed class with <see cref="BenchmarkAttribute"/>.</summary>
public interface IBenchmark
{
    /// <summary>What is compared with what, and the limit; one line.</summary>
    string Summary { get; }

    /// <summary>Measures both sides, interleaved.</summary>
    /// <exception cref="MissingDataException">Data from outside the project is not there.</exception>
    Outcome Run(BenchmarkContext context);

    /// <summary>One side in a process of its own, where its memory or start-up is measured: what the context started.</summary>
    void RunChild(IReadOnlyList<string> arguments) => throw new NotSupportedException("This benchmark starts no child process.");
}

/// <summary>Names a benchmark.</summary>
/// <param name="name">As given on the command line, kebab-case.</param>
[AttributeUsage(AttributeTargets.Class, Inherited = false)]
public sealed class BenchmarkAttribute(string name) : CatalogAttribute(name)
{
    /// <inheritdoc/>
    public override Type EntryType => typeof(IBenchmark);
}

/// <summary>Data that the project does not have: exit code 2.</summary>
public sealed class MissingDataException(string message) : Exception(message);
