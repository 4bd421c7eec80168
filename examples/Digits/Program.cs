using System.Globalization;
using Microsoft.ML.OnnxRuntime;

// Tells a digit drawn in characters: lines of stdin or of a file, anything but blanks and dots is ink. Without input, the drawing below.
const int Size = 28;
string[] seven =
[
    "  ##########  ",
    "  ##########  ",
    "         ###  ",
    "        ###   ",
    "       ###    ",
    "      ###     ",
    "     ###      ",
    "     ##       ",
    "    ###       ",
    "    ##        ",
];
var drawing = args.Length > 0 ? File.ReadAllLines(args[0]) : Console.IsInputRedirected ? Console.In.ReadToEnd().Split('\n') : seven;
var pixels = Rasterize(drawing.Length > 1 ? drawing : seven);

using var session = new InferenceSession(Path.Combine(AppContext.BaseDirectory, "models", "digits.onnx"));
using var input = OrtValue.CreateTensorValueFromMemory(pixels, [1, 1, Size, Size]);
using var options = new RunOptions();
using var results = session.Run(options, session.InputNames, [input], session.OutputNames);
var logits = results[0].GetTensorDataAsSpan<float>().ToArray();
var exponents = Array.ConvertAll(logits, l => Math.Exp(l - logits.Max()));
var best = Array.IndexOf(logits, logits.Max());
Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{best} ({exponents[best] / exponents.Sum():P0})"));

// MNIST's form: the drawing fitted into 20×20 pixels of a 28×28 image, then the mean and deviation of MNIST.
static float[] Rasterize(string[] rows)
{
    var inked = rows.Select((r, y) => (Row: r, Y: y)).Where(r => r.Row.Any(Ink)).ToArray();
    var (top, bottom) = (inked[0].Y, inked[^1].Y + 1);
    var (left, right) = (inked.Min(r => r.Row.TakeWhile(c => !Ink(c)).Count()), inked.Max(r => r.Row.TrimEnd('.', ' ', '\r').Length));
    var scale = Math.Max(bottom - top, (right - left) / 1.4) / 20; // characters are higher than wide
    var pixels = new float[Size * Size];
    for (var y = 0; y < Size; y++)
    {
        for (var x = 0; x < Size; x++)
        {
            var row = (int)Math.Floor(((y - (Size / 2.0) + 0.5) * scale) + ((top + bottom) / 2.0));
            var column = (int)Math.Floor(((x - (Size / 2.0) + 0.5) * scale * 1.4) + ((left + right) / 2.0));
            pixels[(y * Size) + x] = row >= 0 && row < rows.Length && column >= 0 && column < rows[row].Length && Ink(rows[row][column]) ? 1 : 0;
        }
    }

    return Array.ConvertAll(pixels, p => (p - 0.1307f) / 0.3081f);
}

static bool Ink(char c) => c is not (' ' or '.' or '\r');
