namespace Build.ML.OnnxRuntime.Tests;

/// <summary>
/// The conformance cases that ONNX Runtime 1.29 does not run or answers differently, each with the reason. A case that is refused must be refused with
/// the code given here, so that a row that no longer holds is noticed.
/// </summary>
static class ConformanceExceptions
{
    /// <summary>Why a case deviates.</summary>
    /// <param name="Reason">In words.</param>
    /// <param name="Code">The diagnostic that opening it must give; null where it runs but its values are not the case's.</param>
    internal sealed record Row(string Reason, string? Code);

    static readonly Row Opset6 = new("its opset is below 7, for which the runtime has no kernels of this operator", "BML5102");
    static readonly Row NoKernel = new("the runtime has no CPU kernel of this operator for these element types", "BML5102");
    static readonly Row Batchwise = new("recurrent operators with layout 1 are not implemented", "BML5101");
    static readonly Row Preview = new("operators of ai.onnx.preview.training are not registered", "BML5101");
    static readonly Row NoTensor = new("an input or output is a sequence or optional, which sessions do not exchange", "BML5104");
    static readonly Row Truncated = new("the case cuts bfloat16 off, the runtime rounds to nearest", null);
    static readonly Row Random = new("outputs are random numbers; the generator is not specified", null);
    static readonly Row Digits = new("the number of digits of a float as text is not specified", null);
    static readonly Row Resize = new("align_corners with a target size of 1 is read differently", null);
    static readonly Row Unpool = new("output_shape moves the indices, which the case reads in the output's own grid", null);
    static readonly Row Locale = new("needs the operating system's locale en_US.UTF-8; refused where that is not installed", "BML5101");

    static readonly Dictionary<string, Row> Rows = Table(
        (Opset6, "pytorch-converted/test_AvgPool1d pytorch-converted/test_AvgPool1d_stride pytorch-converted/test_AvgPool2d "
            + "pytorch-converted/test_AvgPool2d_stride pytorch-converted/test_AvgPool3d pytorch-converted/test_AvgPool3d_stride "
            + "pytorch-converted/test_AvgPool3d_stride1_pad0_gpu_input pytorch-converted/test_BatchNorm1d_3d_input_eval "
            + "pytorch-converted/test_BatchNorm2d_eval pytorch-converted/test_BatchNorm2d_momentum_eval "
            + "pytorch-converted/test_BatchNorm3d_eval pytorch-converted/test_BatchNorm3d_momentum_eval pytorch-converted/test_GLU "
            + "pytorch-converted/test_GLU_dim pytorch-converted/test_Linear pytorch-converted/test_PReLU_1d "
            + "pytorch-converted/test_PReLU_1d_multiparam pytorch-converted/test_PReLU_2d pytorch-converted/test_PReLU_2d_multiparam "
            + "pytorch-converted/test_PReLU_3d pytorch-converted/test_PReLU_3d_multiparam pytorch-converted/test_PoissonNLLLLoss_no_reduce "
            + "pytorch-converted/test_Softsign pytorch-operator/test_operator_add_broadcast "
            + "pytorch-operator/test_operator_add_size1_broadcast pytorch-operator/test_operator_add_size1_right_broadcast "
            + "pytorch-operator/test_operator_add_size1_singleton_broadcast pytorch-operator/test_operator_addconstant "
            + "pytorch-operator/test_operator_addmm pytorch-operator/test_operator_basic pytorch-operator/test_operator_mm "
            + "pytorch-operator/test_operator_non_float_params pytorch-operator/test_operator_params pytorch-operator/test_operator_pow"),
        (NoKernel, "node/test_bitshift_left_uint16 node/test_bitshift_right_uint16 node/test_max_int16 node/test_max_uint16 "
            + "node/test_min_int16 node/test_min_uint16 node/test_pow_types_float32_uint32 node/test_pow_types_float32_uint64"),
        (Batchwise, "node/test_gru_batchwise node/test_lstm_batchwise node/test_simple_rnn_batchwise"),
        (Preview, "node/test_adagrad node/test_adagrad_multiple node/test_adam node/test_adam_multiple node/test_momentum "
            + "node/test_momentum_multiple node/test_nesterov_momentum simple/test_gradient_of_add simple/test_gradient_of_add_and_mul"),
        (NoTensor, "node/test_identity_opt node/test_identity_sequence node/test_if_opt node/test_if_seq node/test_loop13_seq "
            + "node/test_loop16_seq_none node/test_optional_get_element node/test_optional_get_element_sequence "
            + "node/test_optional_has_element node/test_optional_has_element_empty node/test_sequence_insert_at_back "
            + "node/test_sequence_insert_at_front node/test_sequence_map_add_1_sequence_1_tensor "
            + "node/test_sequence_map_add_1_sequence_1_tensor_expanded node/test_sequence_map_add_2_sequences "
            + "node/test_sequence_map_add_2_sequences_expanded node/test_sequence_map_extract_shapes "
            + "node/test_sequence_map_extract_shapes_expanded node/test_sequence_map_identity_1_sequence "
            + "node/test_sequence_map_identity_1_sequence_1_tensor node/test_sequence_map_identity_1_sequence_1_tensor_expanded "
            + "node/test_sequence_map_identity_1_sequence_expanded node/test_sequence_map_identity_2_sequences "
            + "node/test_sequence_map_identity_2_sequences_expanded"),
        (Truncated, "node/test_cast_FLOAT_to_BFLOAT16 node/test_castlike_FLOAT_to_BFLOAT16 node/test_castlike_FLOAT_to_BFLOAT16_expanded"),
        (Random, "node/test_bernoulli node/test_bernoulli_double node/test_bernoulli_double_expanded node/test_bernoulli_expanded "
            + "node/test_bernoulli_seed node/test_bernoulli_seed_expanded node/test_training_dropout node/test_training_dropout_default "
            + "node/test_training_dropout_default_mask node/test_training_dropout_mask"),
        (Digits, "node/test_cast_FLOAT_to_STRING node/test_castlike_FLOAT_to_STRING node/test_castlike_FLOAT_to_STRING_expanded"),
        (Resize, "node/test_resize_downsample_scales_cubic_align_corners node/test_resize_downsample_scales_linear_align_corners"),
        (Unpool, "node/test_maxunpool_export_with_output_shape"),
        (Locale, "node/test_strnormalizer_export_monday_casesensintive_lower node/test_strnormalizer_export_monday_casesensintive_upper "
            + "node/test_strnormalizer_export_monday_empty_output node/test_strnormalizer_export_monday_insensintive_upper_twodim "
            + "simple/test_strnorm_model_monday_casesensintive_lower simple/test_strnorm_model_monday_casesensintive_upper "
            + "simple/test_strnorm_model_monday_empty_output simple/test_strnorm_model_monday_insensintive_upper_twodim"));

    /// <summary>The row of a case (path of its model, relative), or null where it must run and agree.</summary>
    public static Row? Of(string relative) => Rows.GetValueOrDefault(relative[..relative.LastIndexOf('/')]);

    /// <summary>Whether the case may also run and agree: what it needs is the machine's business.</summary>
    public static bool DependsOnMachine(Row row) => row == Locale;

    static Dictionary<string, Row> Table(params (Row Row, string Cases)[] groups) =>
        groups.SelectMany(g => g.Cases.Split(' ').Select(c => KeyValuePair.Create(c, g.Row))).ToDictionary(StringComparer.Ordinal);
}
