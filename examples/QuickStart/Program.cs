using System.Globalization;
using QuickStart;

// Reads the text line in each image file given, with the model that `dotnet build` compressed.
if (args.Length == 0)
{
    Console.Error.WriteLine("usage: QuickStart IMAGE...   (a text line: PNG, BMP, PGM or PPM)");
    return 2;
}

var models = Path.Combine(AppContext.BaseDirectory, "models");
using var recognizer = new TextLineRecognizer(Path.Combine(models, "rec.int8.onnx"), Path.Combine(models, "characters.txt"));
foreach (var file in args)
{
    var (text, confidence) = recognizer.Read(file);
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{file}: {text}  ({confidence:P0})"));
}

return 0;
