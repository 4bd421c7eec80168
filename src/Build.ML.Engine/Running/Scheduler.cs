using System.Runtime.ExceptionServices;

namespace Build.ML.Engine.Running;

/// <summary>Does all items of a plan, each as soon as what it needs is done and a core is free.</summary>
internal sealed class Scheduler(ItemRunner runner, int cores)
{
    public BuildOutcome Run(Plan plan, IReadOnlyCollection<string>? targets, IBuildObserver observer, CancellationToken cancellation)
    {
        var items = Wanted(plan, targets);
        var outcomes = new Dictionary<string, ItemOutcome>(StringComparer.Ordinal);
        var waiting = new LinkedList<WorkItem>(items);
        var running = new Dictionary<Task<ItemOutcome>, WorkItem>();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        Exception? defect = null;
        while (waiting.Count > 0 || running.Count > 0)
        {
            Start(plan, waiting, running, outcomes, observer, stop.Token);
            if (running.Count == 0)
            {
                continue; // what was left was skipped
            }

            var task = Task.WhenAny(running.Keys).GetAwaiter().GetResult();
            running.Remove(task, out var item);
            if (task.IsFaulted)
            {
                // A defect, not a user's mistake: stop the others, then let it out with its stack trace.
                defect ??= task.Exception!.InnerException!;
                stop.Cancel();
                outcomes[item!.Id] = new(item.Id, ItemStatus.Failed, default, []);
            }
            else
            {
                outcomes[item!.Id] = task.GetAwaiter().GetResult();
            }
        }

        if (defect is not null)
        {
            ExceptionDispatchInfo.Throw(defect);
        }

        return new([.. items.Select(i => outcomes[i.Id])]);
    }

    private void Start(
        Plan plan, LinkedList<WorkItem> waiting, Dictionary<Task<ItemOutcome>, WorkItem> running, Dictionary<string, ItemOutcome> outcomes,
        IBuildObserver observer, CancellationToken cancellation)
    {
        for (var node = waiting.First; node is not null && running.Count < cores;)
        {
            var (item, next) = (node.Value, node.Next);
            if (item.Needs.Any(n => outcomes.TryGetValue(n, out var o) && !o.Succeeded))
            {
                outcomes[item.Id] = new(item.Id, cancellation.IsCancellationRequested ? ItemStatus.Cancelled : ItemStatus.Skipped, default, []);
                observer.ItemFinished(item, outcomes[item.Id]);
                waiting.Remove(node);
            }
            else if (item.Needs.All(outcomes.ContainsKey))
            {
                // A thread of its own: items run long, and the pool adds threads slowly.
                running.Add(Task.Factory.StartNew(() => runner.Run(plan, item, observer, cancellation), CancellationToken.None,
                    TaskCreationOptions.LongRunning, TaskScheduler.Default), item);
                waiting.Remove(node);
            }

            node = next;
        }
    }

    private static List<WorkItem> Wanted(Plan plan, IReadOnlyCollection<string>? targets)
    {
        if (targets is null)
        {
            return [.. plan.Items];
        }

        var wanted = targets.ToHashSet(StringComparer.Ordinal);
        foreach (var item in plan.Items.Reverse())
        {
            if (wanted.Contains(item.Id))
            {
                wanted.UnionWith(item.Needs);
            }
        }

        return [.. plan.Items.Where(i => wanted.Contains(i.Id))];
    }
}
