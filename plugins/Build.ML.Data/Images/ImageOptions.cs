using System.Collections.Immutable;
using System.ComponentModel.DataAnnotations;

namespace Build.ML.Data.Images;

/// <summary>Order of an image tensor's dimensions.</summary>
public enum Layout
{
    /// <summary>Channels, height, width.</summary>
    Nchw,

    /// <summary>Height, width, channels.</summary>
    Nhwc,
}

/// <summary>Order of colour channels.</summary>
public enum ChannelOrder
{
    /// <summary>Red, green, blue.</summary>
    Rgb,

    /// <summary>Blue, green, red, as OpenCV reads images.</summary>
    Bgr,
}

/// <summary>How pixels become tensor elements: element = (pixel · scale − mean) / std, as float, pixel 0 to 255.</summary>
public abstract record ImageOptions : IValidatableObject
{
    /// <summary>Name of the model's input; default: its first.</summary>
    public string Input { get; init; } = "";

    /// <summary>Factor of each pixel value. Default 1/255, which maps to 0…1.</summary>
    public double Scale { get; init; } = 1d / 255;

    /// <summary>Subtracted after scaling: one number, or one for each channel in the order of the tensor. Default 0.</summary>
    public ImmutableArray<double> Mean { get; init; } = [];

    /// <summary>Divides after subtracting the mean: one number, or one for each channel; not 0. Default 1.</summary>
    public ImmutableArray<double> Std { get; init; } = [];

    /// <summary>Order of dimensions; default <c>nchw</c>.</summary>
    public Layout Layout { get; init; } = Layout.Nchw;

    /// <summary>Number of channels the tensor has, known only to the kind of reader; 0 where the file decides.</summary>
    protected abstract int KnownChannels { get; }

    /// <inheritdoc/>
    public virtual IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        foreach (var (name, values) in new[] { (nameof(Mean), Mean), (nameof(Std), Std) })
        {
            if (values.Length > 1 && KnownChannels > 0 && values.Length != KnownChannels)
            {
                yield return new($"{values.Length} numbers, expected 1 or one for each of {KnownChannels} channels.", [name]);
            }
        }

        if (Std.Contains(0))
        {
            yield return new("0 would divide by zero; expected another number.", [nameof(Std)]);
        }
    }
}
