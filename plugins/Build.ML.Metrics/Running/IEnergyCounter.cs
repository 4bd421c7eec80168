namespace Build.ML.Metrics.Running;

/// <summary>Counts the energy used so far.</summary>
internal interface IEnergyCounter
{
    /// <summary>What is counted and how, for reports.</summary>
    string Description { get; }

    /// <summary>Joules used since an arbitrary moment; never less than before.</summary>
    double Read();
}
