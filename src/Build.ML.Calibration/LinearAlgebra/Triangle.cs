namespace Build.ML.Calibration.LinearAlgebra;

/// <summary>Which elements of a matrix are computed; the others are neither read nor written.</summary>
public enum Triangle
{
    /// <summary>All.</summary>
    Full,

    /// <summary>Row ≤ column, the diagonal with it: half the work for symmetric results.</summary>
    Upper,
}
