using System.Text;

namespace Build.ML.Abstractions;

/// <summary>The one spelling of option keys and enum values in recipes.</summary>
public static class SnakeCase
{
    /// <summary><c>ReduceRange</c> → <c>reduce_range</c>, <c>MinMax</c> → <c>min_max</c>, <c>U8S8</c> → <c>u8s8</c>.</summary>
    public static string Of(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        var text = new StringBuilder(name.Length + 4);
        for (var i = 0; i < name.Length; i++)
        {
            if (char.IsUpper(name[i]) && i > 0 && (char.IsLower(name[i - 1]) || (i + 1 < name.Length && char.IsLower(name[i + 1]))))
            {
                text.Append('_');
            }

            text.Append(char.ToLowerInvariant(name[i]));
        }

        return text.ToString();
    }
}
