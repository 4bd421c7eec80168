namespace Build.ML.Graph.Validation;

/// <summary>IR version and operator sets: <c>ModelProto.ir_version</c>, <c>opset_import</c>.</summary>
[ModelRule("model-header")]
internal sealed class ModelHeaderRule : IModelRule
{
    private const int NewestIrVersion = 13;

    public void Check(Model model, ViolationList violations)
    {
        if (model.IrVersion is < 1 or > NewestIrVersion)
        {
            violations.Error("BML2030", $"The IR version is {model.IrVersion}; expected 1 to {NewestIrVersion}. Set it to what the operator sets need.");
        }

        CheckImports("The model", model.OperatorSets, violations);
        CheckDomains("the model", model.OperatorSets, model.AllNodes, violations);
        foreach (var function in model.Functions)
        {
            var name = $"function '{function.Domain}.{function.Name}'";
            CheckImports($"The {name}", function.OperatorSets, violations);
            CheckDomains(name, function.OperatorSets, function.Body.AllNodes, violations);
        }
    }

    private static void CheckImports(string owner, Ir.OperatorSets sets, ViolationList violations)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (domain, version) in sets)
        {
            if (version < 1)
            {
                violations.Error("BML2031", $"{owner} imports operator set '{domain}' in version {version}; expected 1 or more.");
            }

            if (!seen.Add(domain == "ai.onnx" ? "" : domain))
            {
                violations.Error("BML2031", $"{owner} imports operator set '{domain}' twice; remove one import.");
            }
        }
    }

    private static void CheckDomains(string owner, Ir.OperatorSets sets, IEnumerable<Ir.Node> nodes, ViolationList violations)
    {
        var missing = new HashSet<string>(StringComparer.Ordinal);
        foreach (var node in nodes)
        {
            if (sets[node.Domain] == 0 && missing.Add(node.Domain))
            {
                violations.Error("BML2031", $"{node.DisplayName} is of operator set '{node.Domain}', which {owner} does not import; add the import.");
            }
        }
    }
}
