using System.Collections.Immutable;
using System.ComponentModel;
using System.Reflection;
using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Catalogs;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Quantization.Auto;

/// <summary>
/// Tries quantizations from cheap to dear until the recipe's gates hold, and keeps the first that passes. What was tried, and which gate each fell short of, is in the report. A step that was killed
/// does not try again what failed.
/// </summary>
[Technique("quantize.auto", ChecksGates = true)]
[Description("Tries quantizations from cheap to dear until the recipe's gates hold.")]
public sealed class AutoQuantization : Technique<AutoQuantization.Options>
{
    /// <summary>Options of <c>quantize.auto</c>.</summary>
    public sealed record Options
    {
        /// <summary>Calibration data. Default none: then only what needs no data is tried.</summary>
        public DataReference? Data { get; init; }

        /// <summary>What to try, by name; always from cheap to dear. Default everything.</summary>
        public ImmutableArray<string> Try { get; init; } = [];
    }

    /// <inheritdoc/>
    public override StepResult Apply(Model model, Options options, StepContext context)
    {
        var log = new AttemptLog(context.CheckpointDirectory);
        var attempts = Choose(options);
        foreach (var (name, attempt) in attempts)
        {
            context.Cancellation.ThrowIfCancellationRequested();
            if (log.FailureOf(name) is { } known)
            {
                log.Add(name, known);
            }
            else if (attempt.NeedsData && options.Data is null)
            {
                log.Add(name, "not tried: it needs calibration data, and the step has no 'data'");
            }
            else if (Try(name, attempt, model, options.Data ?? default, context, log, attempts.Count) is { } passed)
            {
                return passed with { Notes = [.. log.Lines, .. passed.Notes] };
            }
        }

        throw new DiagnosticException(
            "BML5462",
            $"None of {attempts.Count} quantizations meets the gates. {string.Join(" ", log.Lines)} Loosen a gate, name calibration data, or begin with a step that saves more, such as pruning.");
    }

    private static List<(string Name, QuantizationAttempt Attempt)> Choose(Options options)
    {
        var catalog = Catalog<QuantizationAttempt>.Scan(typeof(AutoQuantization).Assembly);
        var unknown = options.Try.Where(t => catalog.Find(t) is null).ToList();
        return unknown.Count > 0
            ? throw new DiagnosticException([.. unknown.Select(u => new Diagnostic("BML5463", $"'try' names '{u}', which quantize.auto does not know. It can try {string.Join(", ", catalog.Names)}."))])
            : [.. from entry in catalog
                  where options.Try.IsEmpty || options.Try.Contains(entry.Name)
                  orderby entry.Type.GetCustomAttribute<QuantizationAttemptAttribute>()!.Effort, entry.Name
                  select (entry.Name, entry.Create())];
    }

    private static StepResult? Try(
        string name, QuantizationAttempt attempt, Model model, DataReference data, StepContext context, AttemptLog log, int count)
    {
        var candidate = model.Clone();
        StepResult? result = null;
        var kept = false;
        try
        {
            result = attempt.Apply(candidate, data, context with
            {
                CheckpointDirectory = "", // of the whole step; attempts that go on from where they were would need one each
                Progress = new AttemptProgress(context.Progress, name, log.Count, count),
            });
            context.Progress.Report(new((log.Count + 0.9) / count, name + ": checking gates"));
            var verdict = context.CheckGates(result.Model);
            if (verdict.Passed)
            {
                log.Add(name, $"passed. {string.Join("; ", verdict.Gates)}");
                kept = true;
                return result;
            }

            log.Fail(name, $"failed. {string.Join("; ", verdict.Failed)}");
            return null;
        }
        catch (DiagnosticException e) when (e.Diagnostics.All(d => d.Code is not ("BML5013" or "BML5014")))
        {
            // The model or the data do not suit the method: another may.
            log.Fail(name, "does not apply. " + string.Join(" ", e.Diagnostics.Select(d => d.Message)));
            return null;
        }
        finally
        {
            if (!kept)
            {
                result?.Model.Dispose();
                candidate.Dispose();
            }
        }
    }

    /// <summary>The progress of one attempt as part of the step's.</summary>
    private sealed class AttemptProgress(IProgress<StepProgress> step, string name, int index, int count) : IProgress<StepProgress>
    {
        public void Report(StepProgress value) => step.Report(value with { Fraction = (index + 0.8 * value.Fraction) / count, Phase = $"{name}: {value.Phase}" });
    }
}
