using System.Collections.Immutable;

namespace Build.ML.Training;

/// <summary>Where a run is: all that decides how it goes on besides weights and hooks.</summary>
internal sealed class TrainingProgress
{
    // Updates that the reported loss is the mean of.
    private const int Window = 100;

    private readonly Queue<float> _recent = new();
    private double _sum;
    private long _count;

    /// <summary>Updates done.</summary>
    public long Step { get; set; }

    /// <summary>Validations so far.</summary>
    public ImmutableArray<TrainingRecord> Validations { get; private set; } = [];

    /// <summary>Index of the best of them; −1: none.</summary>
    public int Best { get; private set; } = -1;

    /// <summary>Validations since the best.</summary>
    public int SinceBest => Validations.Length - 1 - Best;

    /// <summary>Mean loss of the last updates.</summary>
    public double Loss => _recent.Count == 0 ? 0 : _recent.Average();

    /// <summary>Takes the loss of an update.</summary>
    public void Add(float loss)
    {
        _recent.Enqueue(loss);
        if (_recent.Count > Window)
        {
            _recent.Dequeue();
        }

        _sum += loss;
        _count++;
    }

    /// <summary>Takes a validation; true where it is the best so far.</summary>
    public bool Add(double validation, bool higherIsBetter)
    {
        Validations = Validations.Add(new(Step, _count == 0 ? 0 : _sum / _count, validation));
        (_sum, _count) = (0, 0);
        if (Best >= 0 && !double.IsNaN(Validations[Best].Validation) && !(higherIsBetter ? validation > Validations[Best].Validation : validation < Validations[Best].Validation))
        {
            return false;
        }

        Best = Validations.Length - 1;
        return true;
    }

    /// <summary>Writes everything.</summary>
    public void Save(BinaryWriter writer)
    {
        writer.Write(Step);
        writer.Write(Best);
        writer.Write(_sum);
        writer.Write(_count);
        writer.Write(Validations.Length);
        foreach (var (step, loss, validation) in Validations)
        {
            writer.Write(step);
            writer.Write(loss);
            writer.Write(validation);
        }

        writer.Write(_recent.Count);
        foreach (var loss in _recent)
        {
            writer.Write(loss);
        }
    }

    /// <summary>Reads what <see cref="Save"/> wrote.</summary>
    public void Load(BinaryReader reader)
    {
        Step = reader.ReadInt64();
        Best = reader.ReadInt32();
        _sum = reader.ReadDouble();
        _count = reader.ReadInt64();
        var validations = new TrainingRecord[reader.ReadInt32()];
        for (var i = 0; i < validations.Length; i++)
        {
            validations[i] = new(reader.ReadInt64(), reader.ReadDouble(), reader.ReadDouble());
        }

        Validations = [.. validations];
        _recent.Clear();
        for (var i = reader.ReadInt32(); i > 0; i--)
        {
            _recent.Enqueue(reader.ReadSingle());
        }
    }
}
