using Build.ML.Graph.Ir;

namespace Build.ML.Graph.Validation;

/// <summary>Functions local to the model: <c>FunctionProto</c>. Each is defined once, and none calls itself, directly or through others.</summary>
[ModelRule("function")]
internal sealed class FunctionRule : IModelRule
{
    public void Check(Model model, ViolationList violations)
    {
        var functions = new Dictionary<(string, string, string), Function>();
        foreach (var function in model.Functions)
        {
            if (function.Name.Length == 0)
            {
                violations.Error("BML2043", $"A function of domain '{function.Domain}' has no name; name it.");
            }

            if (!functions.TryAdd((function.Domain, function.Name, function.Overload), function))
            {
                violations.Error("BML2043", $"The function '{function.Domain}.{function.Name}' is defined twice; remove one, or give it another overload name.");
            }
        }

        var callees = functions.ToDictionary(
            f => f.Value,
            f => f.Value.Body.AllNodes.Select(n => functions.GetValueOrDefault((n.Domain, n.OpType, n.Overload))).OfType<Function>().ToHashSet());

        // Take away those that call nothing that is left, until nothing changes: what stays calls itself in the end.
        var callers = callees.Keys.ToDictionary(f => f, _ => new List<Function>());
        foreach (var (caller, called) in callees)
        {
            foreach (var function in called)
            {
                callers[function].Add(caller);
            }
        }

        var done = new Queue<Function>(callees.Where(c => c.Value.Count == 0).Select(c => c.Key));
        while (done.TryDequeue(out var function))
        {
            foreach (var caller in callers[function])
            {
                if (callees[caller].Remove(function) && callees[caller].Count == 0)
                {
                    done.Enqueue(caller);
                }
            }
        }

        foreach (var function in model.Functions.Where(f => callees.TryGetValue(f, out var left) && left.Count > 0))
        {
            violations.Error("BML2044", $"The function '{function.Domain}.{function.Name}' calls itself, or one that does; functions must not recurse.");
        }
    }
}
