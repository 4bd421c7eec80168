namespace Build.ML.Engine.Reporting;

/// <summary>The look of <see cref="ReportPage"/>, light or dark as the reader's system is.</summary>
internal static class ReportStyle
{
    /// <summary>A style sheet that fetches nothing.</summary>
    public const string Css = """
        :root { color-scheme: light dark; --back: #ffffff; --text: #1f2328; --dim: #59636e; --line: #d1d9e0; --stripe: #f6f8fa;
                --good: #1a7f37; --bad: #cf222e; --point: #0969da; }
        @media (prefers-color-scheme: dark) {
          :root { --back: #0d1117; --text: #e6edf3; --dim: #9198a1; --line: #3d444d; --stripe: #151b23;
                  --good: #3fb950; --bad: #f85149; --point: #4493f8; }
        }
        body { background: var(--back); color: var(--text); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; margin: 0; }
        main { max-width: 68rem; margin: 0 auto; padding: 1.5rem 1.25rem 4rem; }
        h1 { font-size: 1.6rem; margin: 0 0 .25rem; display: flex; align-items: center; gap: .75rem; flex-wrap: wrap; }
        h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; padding-bottom: .25rem; border-bottom: 1px solid var(--line); }
        h3 { font-size: 1rem; margin: 1.25rem 0 .25rem; }
        small { color: var(--dim); font-weight: normal; font-size: .85em; }
        .chain { color: var(--dim); margin: 0; }
        .mark { font-size: .85rem; font-weight: 600; border: 1px solid currentColor; border-radius: 1rem; padding: .05rem .7rem; }
        .good { color: var(--good); }
        .bad { color: var(--bad); font-weight: 600; }
        .wide { overflow-x: auto; }
        table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
        th, td { text-align: left; padding: .35rem .75rem; border-bottom: 1px solid var(--line); white-space: nowrap; vertical-align: top; }
        td:last-child { white-space: normal; }
        thead th { color: var(--dim); font-weight: 600; font-size: .85rem; }
        thead.names th { white-space: normal; vertical-align: bottom; }
        tbody th { font-weight: 600; }
        tbody tr:nth-child(even) { background: var(--stripe); }
        th.number, td.number { text-align: right; white-space: nowrap; }
        code { font: .9em ui-monospace, "Cascadia Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere; }
        ul { margin: .25rem 0 .5rem; padding-left: 1.25rem; }
        summary { cursor: pointer; color: var(--point); margin: .25rem 0; }
        svg { width: 100%; max-width: 47.5rem; height: auto; font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; }
        .grid { stroke: var(--line); stroke-width: 1; }
        .tick, .axis { fill: var(--dim); }
        .label { fill: var(--text); font-weight: 600; }
        circle.step { fill: var(--point); }
        circle.source { fill: var(--back); stroke: var(--dim); stroke-width: 2; }

        """;
}
