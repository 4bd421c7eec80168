// dotnet run -c Release --project tests/Benchmarks -- NAME [--json]
Console.Error.WriteLine("No benchmark yet.");
return 2;
