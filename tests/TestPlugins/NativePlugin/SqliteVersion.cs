using System.Runtime.InteropServices;
using Build.ML.Abstractions;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;

namespace Build.ML.TestPlugins;

/// <summary>Calls a native library that the plugin brings under <c>runtimes/</c>.</summary>
[Technique("test.native")]
public sealed partial class SqliteVersion : Technique<NoOptions>
{
    /// <inheritdoc/>
    public override StepResult Apply(Model model, NoOptions options, StepContext context) =>
        new(model) { Notes = [Marshal.PtrToStringUTF8(Version())!] };

    [DllImport("e_sqlite3", EntryPoint = "sqlite3_libversion")]
    private static extern nint Version();
}
