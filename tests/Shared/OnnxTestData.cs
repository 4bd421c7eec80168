namespace Build.ML.TestSupport;

/// <summary>
/// The operator and model conformance cases of ONNX 1.12 as Debian packages them. A case is a folder with <c>model.onnx</c> and
/// <c>test_data_set_N/input_M.pb</c>, <c>output_M.pb</c> (serialized TensorProto).
/// </summary>
public static class OnnxTestData
{
    const string Root = "/usr/share/libonnx-testdata/data";
    const string Missing = "(libonnx-testdata is not installed)";

    /// <summary>Why a test that needs the data is skipped, and what to do.</summary>
    public const string Reason = "needs Debian's libonnx-testdata: apt-get install libonnx-testdata";

    /// <summary>Whether the data is on this machine.</summary>
    public static bool IsInstalled => Directory.Exists(Root);

    /// <summary>The data's folder; skips the test where it is missing. For <c>[SkippableFact]</c>.</summary>
    public static string Folder()
    {
        Prerequisite.Require(IsInstalled, Reason);
        return Root;
    }

    /// <summary>
    /// All models, as paths relative to <see cref="Folder"/> with forward slashes, in ordinal order; a single row that
    /// <see cref="PathOf"/> skips where the data is missing. For <c>[MemberData(nameof(OnnxTestData.Models), MemberType = typeof(OnnxTestData))]</c>.
    /// </summary>
    public static TheoryData<string> Models()
    {
        var rows = new TheoryData<string>();
        if (!IsInstalled)
            rows.Add(Missing);
        else
            foreach (var path in ModelPaths())
                rows.Add(Path.GetRelativePath(Root, path).Replace('\\', '/'));
        return rows;
    }

    /// <summary>Full paths of all models in ordinal order; skips the test where the data is missing.</summary>
    public static IReadOnlyList<string> AllModels()
    {
        Folder();
        return ModelPaths();
    }

    /// <summary>Full path of a row of <see cref="Models"/>; skips the test where the data is missing. For <c>[SkippableTheory]</c>.</summary>
    public static string PathOf(string relative) => Path.Combine(Folder(), relative);

    static string[] ModelPaths()
    {
        var paths = Directory.GetFiles(Root, "*.onnx", SearchOption.AllDirectories);
        Array.Sort(paths, StringComparer.Ordinal);
        return paths;
    }
}
