namespace Build.ML.Abstractions.Data;

/// <summary>What the engine needs of a reader; derive from <see cref="DataReader{TOptions}"/> instead of implementing it.</summary>
public interface IDataReader
{
    /// <summary>The options record, bound from the keys beside <c>reader:</c>.</summary>
    Type OptionsType { get; }

    /// <summary>Opens the data set.</summary>
    DataSet Read(object options);
}

/// <summary>Turns files into samples. A sealed class with <see cref="DataReaderAttribute"/> is all it takes to add one.</summary>
/// <typeparam name="TOptions">An immutable record; files are <see cref="References.FileReference"/> properties, which puts their content into fingerprints.</typeparam>
public abstract class DataReader<TOptions> : IDataReader
    where TOptions : class
{
    /// <inheritdoc/>
    public Type OptionsType => typeof(TOptions);

    /// <summary>Opens the data set; samples are read when asked for.</summary>
    /// <exception cref="Graph.Diagnostics.DiagnosticException">A file is missing or malformed.</exception>
    public abstract DataSet Read(TOptions options);

    /// <inheritdoc/>
    DataSet IDataReader.Read(object options) => Read((TOptions)options);
}
