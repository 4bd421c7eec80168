using Build.ML.Graph.Catalogs;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Validation;

namespace Build.ML.Graph;

public sealed partial class Model
{
    /// <summary>
    /// Checks the model against the ONNX IR specification: IR version and operator sets, names and scopes, order and cycles, attributes, types of
    /// inputs and outputs, initializers, functions. Touches no weight. Whether operators are used as they are defined is what shape inference and
    /// runtimes tell.
    /// </summary>
    /// <returns>All violations, BML2014, BML2015 and BML2030 to BML2049; warnings among them. None for a valid model.</returns>
    public IReadOnlyList<Diagnostic> Validate()
    {
        var violations = new ViolationList(Path);
        foreach (var rule in Catalog<IModelRule>.Scan(typeof(Model).Assembly))
        {
            rule.Create().Check(this, violations);
        }

        return violations.Diagnostics;
    }
}
