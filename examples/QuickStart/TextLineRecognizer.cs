using System.Numerics.Tensors;
using System.Text;
using Build.ML.Data.Images;
using Microsoft.ML.OnnxRuntime;

namespace QuickStart;

/// <summary>Reads one line of text from an image with a PP-OCR recognizer: 3×48×W in, one class a time step out.</summary>
internal sealed class TextLineRecognizer : IDisposable
{
    /// <summary>Height the model was trained on.</summary>
    private const int Height = 48;

    /// <summary>Narrower lines are padded to this width, as in training, with the grey that normalizes to 0.</summary>
    private const int MinimalWidth = 320;

    private readonly InferenceSession _session;
    private readonly string[] _characters;

    /// <summary>Loads the model.</summary>
    /// <param name="model">The ONNX file.</param>
    /// <param name="characters">One character a line; class 0 is the blank, then these, then the space.</param>
    public TextLineRecognizer(string model, string characters)
    {
        _session = new InferenceSession(model);
        _characters = ["", .. File.ReadAllLines(characters), " "];
    }

    /// <summary>The text of an image file, and the mean probability of its characters.</summary>
    public (string Text, float Confidence) Read(string file)
    {
        var image = ImageDecoder.DecodeAny(File.ReadAllBytes(file), file).WithChannels(3);
        image = image.Resized(Math.Max(1, image.Width * Height / image.Height), Height);
        var width = Math.Max(MinimalWidth, image.Width);
        using var input = OrtValue.CreateTensorValueFromMemory(ToPlanes(image, width), [1, 3, Height, width]);
        using var options = new RunOptions();
        using var outputs = _session.Run(options, _session.InputNames, [input], _session.OutputNames);
        return Decode(outputs[0].GetTensorDataAsSpan<float>());
    }

    /// <inheritdoc/>
    public void Dispose() => _session.Dispose();

    /// <summary>Pixels as planes of (v / 255 − 0.5) / 0.5.</summary>
    private static float[] ToPlanes(PixelImage image, int width)
    {
        var planes = new float[3 * Height * width];
        for (var y = 0; y < Height; y++)
        {
            for (var x = 0; x < image.Width; x++)
            {
                for (var c = 0; c < 3; c++)
                {
                    planes[(((c * Height) + y) * width) + x] = (image.Pixels[(((y * image.Width) + x) * 3) + c] / 127.5f) - 1;
                }
            }
        }

        return planes;
    }

    /// <summary>CTC, greedy: the likeliest class of each step, repeats merged, blanks dropped.</summary>
    private (string Text, float Confidence) Decode(ReadOnlySpan<float> probabilities)
    {
        var text = new StringBuilder();
        var (sum, count, last) = (0f, 0, 0);
        for (; probabilities.Length > 0; probabilities = probabilities[_characters.Length..])
        {
            var step = probabilities[.._characters.Length];
            var best = TensorPrimitives.IndexOfMax(step);
            if (best != 0 && best != last)
            {
                text.Append(_characters[best]);
                sum += step[best];
                count++;
            }

            last = best;
        }

        return (text.ToString(), count == 0 ? 0 : sum / count);
    }
}
