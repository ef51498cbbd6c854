/// Options of kohya's and LyCORIS' scripts that need no counterpart here, so that commands written
/// for them still run.
package enum KohyaOptions {
  /// By name: whether a value follows, and why the option has no effect.
  package static let ignored: [String: (takesValue: Bool, reason: String)] = [
    "device": (true, "all work is done on the processor"),
    "loading_device": (true, "all work is done on the processor"),
    "working_device": (true, "all work is done on the processor"),
    "load_original_model_to": (true, "all work is done on the processor"),
    "load_tuned_model_to": (true, "all work is done on the processor"),
    "v2": (false, "the family is recognized"), "is_v2": (false, "the family is recognized"),
    "v_parameterization": (false, "weights do not depend on it"),
    "sdxl": (false, "the family is recognized"), "is_sdxl": (false, "the family is recognized"),
    "safetensors": (false, "outputs are always safetensors"),
    "precision": (true, "arithmetic is always f32"),
    "load_precision": (true, "every tensor is read in its own format"),
    "mem_eff_safe_open": (false, "files are always mapped"),
    "mem_eff_load_save": (false, "files are always mapped"),
    "clamp_quantile": (true, "factors are not clamped"),
    "min_diff": (true, "no layer is skipped for changing little"),
    "show_skipped": (false, "what is left out is always counted"),
    "disable_cp": (false, "a Tucker core is only used with '--use_tucker'"),
  ]
}
