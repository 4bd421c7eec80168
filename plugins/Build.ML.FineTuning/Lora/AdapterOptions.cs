using System.Collections.Immutable;
using System.ComponentModel.DataAnnotations;
using Build.ML.Training;

namespace Build.ML.FineTuning.Lora;

/// <summary>Options that low-rank adaptation has in all its forms (Hu et al. 2021, LoRA: Low-Rank Adaptation of Large Language Models).</summary>
public abstract record AdapterOptions : SupervisedOptions
{
    /// <summary>The defaults of adapters: AdamW with a rate of 0.0002, warm-up over the first 6 % of the run, then falling in equal parts (Hu et al. 2021, table 11).</summary>
    protected AdapterOptions()
    {
        Optimizer = new AdamW { LearningRate = 2e-4 };
        Schedule = new LinearSchedule { Warmup = 0.06 };
    }

    /// <summary>Rank r of the update, 1 to 1024. Default 8.</summary>
    [Range(1, 1024)] public int Rank { get; init; } = 8;

    /// <summary>Strength: the update counts alpha / rank. Default 16.</summary>
    [Range(1e-6, 1e6)] public double Alpha { get; init; } = 16;

    /// <summary>Whether the update counts alpha / √rank, so that high ranks learn as fast as low ones (Kalajdzievski 2023). Default false.</summary>
    public bool RankStabilized { get; init; }

    /// <summary>Share of an adapter's inputs that is dropped in training, 0 to below 1. Default 0.</summary>
    [Range(0, 0.99)] public double AdapterDropout { get; init; }

    /// <summary>Operators to adapt, of MatMul, Gemm, MatMulNBits, MatMulBnb4. Default: all of them.</summary>
    public ImmutableArray<string> OpTypes { get; init; } = [];

    /// <summary>Globs: layers adapted, by the name of their node, output or weight. Default: all.</summary>
    public ImmutableArray<string> Include { get; init; } = [];

    /// <summary>Globs: layers left.</summary>
    public ImmutableArray<string> Exclude { get; init; } = [];

    /// <summary>Globs: weights that are trained in full beside the adapters, such as a new classifier's. Default: none.</summary>
    public ImmutableArray<string> TrainAlso { get; init; } = [];

    /// <summary>The factor of the update.</summary>
    internal float Scale => (float)(Alpha / (RankStabilized ? Math.Sqrt(Rank) : Rank));
}
