using Build.ML.Graph.Ir;

namespace Build.ML.Graph.Coupling;

/// <summary>Makes the axes of an analysis that has tied all it could: one for each cell left that some constant has a role for.</summary>
sealed class AxisCollector(
    IReadOnlyList<ConstantUse> constants, IReadOnlyList<(DimensionLayout Layout, AxisLock Lock)> locks,
    IReadOnlyList<(DimensionLayout Layout, AxisMark Mark, Node Node)> marks)
{
    private readonly List<ChannelAxis> _axes = [];

    public IReadOnlyList<ChannelAxis> Collect()
    {
        foreach (var constant in constants)
        {
            for (var i = 0; i < constant.Layouts.Length; i++)
            {
                if (constant.Roles[i] is not null)
                {
                    AddAxes(constant.Layouts[i]);
                }
            }
        }

        foreach (var constant in constants)
        {
            for (var i = 0; i < constant.Layouts.Length; i++)
            {
                AddPlaces(constant, i);
            }
        }

        foreach (var (layout, @lock) in locks)
        {
            Lock(layout.Resolve(), @lock);
        }

        SetKinds();
        LockRotated();
        SetNames();
        return _axes;
    }

    private void AddAxes(DimensionLayout layout)
    {
        foreach (var cell in layout.Resolve().Cells())
        {
            if (cell is { Size: > 1, Axis: null })
            {
                cell.Axis = new ChannelAxis(cell);
                _axes.Add(cell.Axis);
            }
        }
    }

    private static void AddPlaces(ConstantUse constant, int dimension)
    {
        var layout = constant.Layouts[dimension].Resolve();
        var (role, reader) = constant.Roles[dimension] ?? (AxisRole.Parameter, constant.Readers[0].Node);
        foreach (var cell in layout.Cells().Distinct())
        {
            if (cell.Axis is not { } axis)
            {
                continue;
            }

            axis.Add(new AxisPlace(constant.Constant, dimension, reader, role, layout, cell));
            if (constant.Constant.Constant is { } tensor && tensor.Type.BitWidth() < 8)
            {
                axis.Lock ??= new AxisLock(reader, $"'{constant.Constant.Name}' packs elements of less than a byte");
            }

            if (Repeats(layout, cell))
            {
                axis.Lock ??= new AxisLock(reader, "one dimension holds a product of the axis with itself");
            }
        }
    }

    private static bool Repeats(DimensionLayout layout, AxisCell cell)
    {
        var count = 0;
        foreach (var part in layout.Parts)
        {
            if (Repeats(part, cell))
            {
                return true;
            }

            count += part.Cells().Contains(cell) ? 1 : 0;
        }

        return layout.IsProduct && count > 1;
    }

    private static void Lock(DimensionLayout layout, AxisLock @lock)
    {
        foreach (var cell in layout.Cells())
        {
            if (cell.Axis is { } axis)
            {
                axis.Lock ??= @lock;
            }
        }
    }

    private void SetKinds()
    {
        var marked = new HashSet<(AxisCell Cell, AxisMark Mark)>();
        foreach (var (layout, mark, node) in marks)
        {
            foreach (var cell in layout.Resolve().Cells())
            {
                marked.Add((cell, mark));
                if (cell.Axis is { } axis)
                {
                    axis.NormalizedBy ??= mark == AxisMark.Normalized ? node : null;
                    axis.SummedBy ??= mark == AxisMark.Summed ? node : null;
                }
            }
        }

        foreach (var axis in _axes)
        {
            bool Is(AxisMark mark) => marked.Contains((axis.Cell, mark));
            axis.Kind = Is(AxisMark.Heads) ? Is(AxisMark.QueryHeads) ? AxisKind.QueryHeads : AxisKind.Heads
                : Is(AxisMark.HeadSize) ? AxisKind.HeadSize
                : Is(AxisMark.Channel) ? AxisKind.Channel
                : Is(AxisMark.Hidden) ? AxisKind.Hidden
                : axis.Places.Any(p => p.Role != AxisRole.Parameter) ? AxisKind.Neurons
                : AxisKind.Channel;
        }
    }

    /// <summary>A head that a table of positions × frequencies is multiplied with: its positions turn in pairs, by frequencies all layers share.</summary>
    private void LockRotated()
    {
        foreach (var axis in _axes)
        {
            if (axis.Kind == AxisKind.HeadSize && axis.Lock is null
                && axis.Places.FirstOrDefault(p => p.Role == AxisRole.Parameter && p.Constant.Constant!.Sizes.Count(s => s > 1) > 1) is { } table)
            {
                axis.Lock = new AxisLock(table.Reader, $"the table '{table.Constant.Name}' turns its positions in pairs (a rotary embedding)");
            }
        }
    }

    private void SetNames()
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var axis in _axes)
        {
            var place = axis.Places.FirstOrDefault(p => p.Role == AxisRole.Output) ?? axis.Places[0];
            var name = place.Constant.Name;
            if ((name.StartsWith("onnx::", StringComparison.Ordinal) || name.All(char.IsAsciiDigit)) && place.Reader.Name.Length > 0)
            {
                name = place.Reader.Name; // exporters' own names say nothing
            }

            var part = axis.Kind switch
            {
                _ when place.Layout.Cell is not null => "",
                AxisKind.Heads => ":heads",
                AxisKind.QueryHeads => ":query_heads",
                AxisKind.HeadSize => ":head_size",
                _ => ":part",
            };
            var unique = name + part;
            for (var i = 2; !names.Add(unique); i++)
            {
                unique = string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{name}{part}#{i}");
            }

            axis.Name = unique;
        }
    }
}
