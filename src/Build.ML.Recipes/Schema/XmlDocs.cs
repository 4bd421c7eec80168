using System.Reflection;
using System.Text.RegularExpressions;
using System.Xml;
using System.Xml.Linq;

namespace Build.ML.Recipes.Schema;

/// <summary>Descriptions from the XML documentation beside assemblies; where a file is missing there are none.</summary>
internal sealed partial class XmlDocs
{
    private readonly Dictionary<Assembly, Dictionary<string, XElement>> _members = [];

    /// <summary>The summary of a type, or null.</summary>
    internal string? Of(Type type) => Text(Member(type.Assembly, "T:" + NameOf(type))?.Element("summary"));

    /// <summary>The summary of a property; for one of a primary constructor the parameter's text.</summary>
    internal string? Of(PropertyInfo property)
    {
        var type = property.DeclaringType!;
        return Text(Member(type.Assembly, $"P:{NameOf(type)}.{property.Name}")?.Element("summary"))
            ?? Text(Member(type.Assembly, "T:" + NameOf(type))?.Elements("param").FirstOrDefault(
                p => string.Equals((string?)p.Attribute("name"), property.Name, StringComparison.OrdinalIgnoreCase)));
    }

    private static string NameOf(Type type) => type.FullName!.Replace('+', '.');

    private XElement? Member(Assembly assembly, string name)
    {
        if (!_members.TryGetValue(assembly, out var members))
        {
            _members[assembly] = members = Load(Path.ChangeExtension(assembly.Location, ".xml"));
        }

        return members.GetValueOrDefault(name);
    }

    private static Dictionary<string, XElement> Load(string path)
    {
        if (!File.Exists(path))
        {
            return [];
        }

        try
        {
            return XDocument.Load(path).Descendants("member").DistinctBy(m => (string?)m.Attribute("name"))
                .ToDictionary(m => (string?)m.Attribute("name") ?? "", StringComparer.Ordinal);
        }
        catch (XmlException)
        {
            return []; // descriptions are a courtesy: a damaged file must not stop the schema
        }
    }

    private static string? Text(XElement? element)
    {
        if (element is null)
        {
            return null;
        }

        var text = Blanks().Replace(string.Concat(element.Nodes().Select(Flatten)), " ").Trim();
        return text.Length == 0 ? null : text;
    }

    private static string Flatten(XNode node) => node switch
    {
        XText text => text.Value,
        XElement { Name.LocalName: "c" } code => $"`{code.Value}`",
        XElement element when (string?)element.Attribute("cref") is { } cref => cref[(cref.LastIndexOf('.') + 1)..],
        XElement element when ((string?)element.Attribute("name") ?? (string?)element.Attribute("langword")) is { } name => name,
        XElement element => string.Concat(element.Nodes().Select(Flatten)),
        _ => "",
    };

    [GeneratedRegex(@"\s+")]
    private static partial Regex Blanks();
}
