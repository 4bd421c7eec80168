
namespace Build.ML.Graph.Passes.Opsets;

/// <summary>BatchNormalization lost the modes for training (7, 14) and for statistics per element (9), and with them outputs 1 to 4.</summary>
[OpsetConversions]
sealed class BatchNormConversions : OpsetConversionTable
{
    public BatchNormConversions()
    {
        Since(7, ["BatchNormalization"], c =>
        {
            if (c.Node.Int("is_test", 0) == 0)
            {
                c.Refuse("it is in training mode (is_test = 0)");
            }

            c.Node.RemoveAttribute("is_test");
        });
        Since(9, ["BatchNormalization"], c =>
        {
            if (c.Node.Int("spatial", 1) == 0)
            {
                c.Refuse("it has statistics per element (spatial = 0)");
            }

            c.Node.RemoveAttribute("spatial");
        });
        Since(14, ["BatchNormalization"], c =>
        {
            if (c.Node.Outputs.Count > 1)
            {
                DropOutputs(c);
            }
        });
    }

    private static void DropOutputs(OpsetConversionContext c)
    {
        if (c.Node.Outputs.Skip(1).Any(o => !o.IsUnused))
        {
            c.Refuse("its statistics, outputs of training mode, are used");
            return;
        }

        c.Node.TrimOutputs(1);
    }
}
