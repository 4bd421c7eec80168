using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.References;

namespace Build.ML.Metrics.Text;

/// <summary>How a model's output becomes text. An output of strings is taken as it is; scores are decoded as CTC.</summary>
public abstract record TextOptions
{
    /// <summary>Number of the output: strings [batch], or scores [batch, steps, classes]; from 0. Default 0.</summary>
    [Range(0, int.MaxValue)]
    public int Output { get; init; }

    /// <summary>For CTC: a UTF-8 file with one character (or piece) a line, in the order of the classes. Needed unless the output is strings.</summary>
    public FileReference? Charset { get; init; }

    /// <summary>For CTC: class of the blank; the characters fill the classes around it in order. Default 0.</summary>
    [Range(0, int.MaxValue)]
    public int Blank { get; init; }

    /// <summary>For CTC: whether a space follows the characters of the file as the last class, as in PaddleOCR. Default true.</summary>
    public bool Space { get; init; } = true;

    /// <summary>Whether spaces are taken out of both texts before they are compared. Default false.</summary>
    public bool IgnoreSpaces { get; init; }
}
