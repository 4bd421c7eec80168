using System.Globalization;
using Build.ML.Worker;

// buildml-worker --parent <pid>: serves requests on stdin until it ends, a request says so, or the parent process is gone.
var at = Array.IndexOf(args, "--parent");
int? parent = at >= 0 && at + 1 < args.Length && int.TryParse(args[at + 1], CultureInfo.InvariantCulture, out var pid) ? pid : null;
using var input = Console.OpenStandardInput();
using var output = Console.OpenStandardOutput();

// stdout belongs to the protocol: whatever a plugin prints goes to stderr.
Console.SetOut(Console.Error);
using var server = new RequestServer(input, output);
return server.Serve(parent);
