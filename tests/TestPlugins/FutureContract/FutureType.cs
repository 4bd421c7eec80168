namespace Build.ML.Abstractions;

/// <summary>Something that the contract of today does not have.</summary>
public class FutureType;
