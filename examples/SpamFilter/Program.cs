using System.Globalization;
using SpamFilter;

// Says of each mail given whether it is spam, with the model that `dotnet build` trained and compressed.
if (args.Length == 0)
{
    Console.Error.WriteLine("usage: SpamFilter MAIL...   (a mail as it is transported, headers first: .eml or .txt)");
    return 2;
}

var models = Path.Combine(AppContext.BaseDirectory, "models");
using var classifier = new MailClassifier(Path.Combine(models, "spam.int8.onnx"), Path.Combine(models, "vocab.json"));
foreach (var file in args)
{
    var probability = classifier.ProbabilityOfSpam(file);
    var answer = probability > 0.5 ? "spam" : "no spam";
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{file}: {answer}  ({probability:P1})"));
}

return 0;
