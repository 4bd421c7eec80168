using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Build.ML.Calibration.LinearAlgebra;

/// <summary>Copies blocks of matrices into the order in which micro-kernels read them.</summary>
internal static unsafe class Packing
{
    /// <summary>
    /// Packs a block [lanes, depth] into panels of <paramref name="width"/> lanes: panel after panel, in each for each of depth its lanes side by
    /// side. The last panel is filled up with zeros.
    /// </summary>
    /// <param name="block">Rows are lanes, columns are depth.</param>
    /// <param name="width">Lanes of a panel, a multiple of 8.</param>
    /// <param name="factor">Multiplies every element.</param>
    /// <param name="panels">Room for all panels: lanes rounded up to whole panels, times depth.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Pack(MatrixView block, int width, float factor, float* panels)
    {
        var whole = block.Rows / width * width;
        if (block.RowStride == 1)
        {
            PackContiguous(block, width, whole, factor, panels);
        }
        else
        {
            for (nint lane = 0; lane < whole; lane += width)
            {
                PackStrided(block, lane, width, width, factor, panels + (lane * block.Columns));
            }
        }

        if (whole < block.Rows)
        {
            PackStrided(block, whole, (int)(block.Rows - whole), width, factor, panels + (whole * block.Columns));
        }
    }

    // Along the memory of the source, depth by depth: one page is read at a time.
    private static void PackContiguous(MatrixView block, int width, nint whole, float factor, float* panels)
    {
        var step = block.Columns * width;
        for (nint k = 0; k < block.Columns; k++)
        {
            var source = block.Address(0, k);
            var target = panels + (k * width);
            for (var end = source + whole; source < end; source += width, target += step)
            {
                for (var lane = 0; lane < width; lane += Vector256<float>.Count)
                {
                    (Vector256.Load(source + lane) * factor).Store(target + lane);
                }
            }
        }
    }

    private static void PackStrided(MatrixView block, nint first, int lanes, int width, float factor, float* panel)
    {
        for (var lane = 0; lane < width; lane++)
        {
            var target = panel + lane;
            if (lane >= lanes)
            {
                for (nint k = 0; k < block.Columns; k++, target += width)
                {
                    *target = 0;
                }

                continue;
            }

            var source = block.Address(first + lane, 0);
            for (nint k = 0; k < block.Columns; k++, source += block.ColumnStride, target += width)
            {
                *target = *source * factor;
            }
        }
    }
}
