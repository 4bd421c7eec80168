using Build.ML.Graph.Shapes;

namespace Build.ML.Graph.Tests.Shapes;

/// <summary>Shape inference against what ONNX's conformance models declare of their outputs.</summary>
public sealed class ConformanceModels
{
    /// <summary>Operators met in the cases that have no rule. Each would be a gap.</summary>
    private static readonly string[] WithoutRule = [];

    /// <summary>
    /// Cases whose output sizes depend on the values of inputs, are computed in float (windows and Range as functions), or on a batch dimension that only
    /// version 8 of Scan has.
    /// </summary>
    private static readonly string[] DataDependent =
    [
        "test_blackmanwindow_expanded", "test_blackmanwindow_symmetric_expanded",
        "test_compress_0", "test_compress_1", "test_compress_default_axis", "test_compress_negative_axis", "test_hammingwindow_expanded",
        "test_hammingwindow_symmetric_expanded", "test_hannwindow_expanded", "test_hannwindow_symmetric_expanded", "test_loop11",
        "test_nonmaxsuppression_center_point_box_format", "test_nonmaxsuppression_flipped_coordinates", "test_nonmaxsuppression_identical_boxes",
        "test_nonmaxsuppression_limit_output_size", "test_nonmaxsuppression_single_box", "test_nonmaxsuppression_suppress_by_IOU",
        "test_nonmaxsuppression_suppress_by_IOU_and_scores", "test_nonmaxsuppression_two_batches", "test_nonmaxsuppression_two_classes",
        "test_nonzero_example", "test_range_float_type_positive_delta_expanded", "test_range_int32_type_negative_delta_expanded", "test_scan_sum",
        "test_sequence_model5", "test_strnorm_model_monday_casesensintive_lower", "test_strnorm_model_monday_casesensintive_nochangecase",
        "test_strnorm_model_monday_casesensintive_upper", "test_strnorm_model_monday_empty_output", "test_strnorm_model_monday_insensintive_upper_twodim",
        "test_strnorm_model_nostopwords_nochangecase", "test_strnormalizer_export_monday_casesensintive_lower",
        "test_strnormalizer_export_monday_casesensintive_nochangecase", "test_strnormalizer_export_monday_casesensintive_upper",
        "test_strnormalizer_export_monday_empty_output", "test_strnormalizer_export_monday_insensintive_upper_twodim",
        "test_strnormalizer_nostopwords_nochangecase", "test_unique_not_sorted_without_axis", "test_unique_sorted_with_axis",
        "test_unique_sorted_with_axis_3d", "test_unique_sorted_with_negative_axis", "test_unique_sorted_without_axis",
    ];

    [SkippableFact]
    public void Inferred_output_types_never_contradict_the_declared_ones()
    {
        var contradictions = new List<string>();
        foreach (var path in OnnxTestData.AllModels())
        {
            using var model = Model.Open(path);
            contradictions.AddRange(ShapeInference.Check(model).Select(d => $"{Name(path)}: {d.Message}"));
        }

        Assert.True(contradictions.Count == 0, string.Join("\n", contradictions));
    }

    [SkippableFact]
    public void Every_static_output_shape_is_inferred_but_for_the_listed_data_dependent_ones()
    {
        var (incomplete, withoutRule, cases) = (new SortedSet<string>(StringComparer.Ordinal), new SortedSet<string>(StringComparer.Ordinal), 0);
        foreach (var path in OnnxTestData.AllModels())
        {
            using var model = Model.Open(path);
            var declared = model.Graph.Outputs.Select(o => o.Type).ToArray();
            foreach (var output in model.Graph.Outputs.Where(o => !o.IsGraphInput))
            {
                output.Type = null;
            }

            GiveSmallInputs(model, Path.Combine(Path.GetDirectoryName(path)!, "test_data_set_0"));
            var result = ShapeInference.Infer(model, useDeclared: false);
            withoutRule.UnionWith(result.OperatorsWithoutRule);
            cases++;
            for (var i = 0; i < declared.Length; i++)
            {
                var output = model.Graph.Outputs[i];
                var inferred = result.Types.GetValueOrDefault(output) ?? output.Type;
                if (declared[i] is TensorType { Shape.IsStatic: true } expected && !expected.Equals(inferred))
                {
                    incomplete.Add($"{Name(path)}: {inferred?.ToString() ?? "nothing"} for {expected}");
                }
            }
        }

        Assert.True(cases > 1000, $"only {cases} cases");
        Assert.Equal(WithoutRule, withoutRule);
        var found = incomplete.Select(i => i.Split(':')[0]).Distinct();
        Assert.True(DataDependent.SequenceEqual(found), "not inferred:\n" + string.Join('\n', incomplete));
    }

    /// <summary>
    /// Sizes, axes, scales and the like are inputs in these models: gives those of rank 0 or 1 their value from the case's data, as a real model would.
    /// </summary>
    private static void GiveSmallInputs(Model model, string folder)
    {
        var index = 0;
        var isOnly = model.Graph.Inputs.Count == 1;
        foreach (var input in model.Graph.Inputs.Where(i => i.Initializer is null).ToArray())
        {
            var path = Path.Combine(folder, $"input_{index++}.pb");
            if (input.Type is TensorType { Shape.Rank: <= 1, ElementType: DataType.Int64 or DataType.Int32 or DataType.Float } && File.Exists(path)
                && TensorFiles.TryRead(path) is { } tensor && (!isOnly || tensor.Type == DataType.Int64 || tensor.Type == DataType.Int32))
            {
                model.Graph.SetInitializer(input, tensor);
                model.Graph.RemoveInput(input);
            }
        }
    }

    private static string Name(string path) => Path.GetFileName(Path.GetDirectoryName(path))!;
}
