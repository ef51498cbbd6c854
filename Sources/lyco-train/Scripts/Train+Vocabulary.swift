import CommandSupport

extension Train {
  private static let lists: Set<String> = [
    "network_args", "optimizer_args", "lr_scheduler_args", "base_weights",
  ]
  private static let numbers: Set<String> = ["base_weights_multiplier", "text_encoder_lr"]

  /// Every option of the tool, and what follows it.
  static let vocabulary: ScriptVocabulary = {
    var (flags, values): (Set<String>, Set<String>) = ([], [])
    for row in options.rows {
      // Short options are no script's.
      let names = row.names.filter { $0.count > 1 }
      if row.kind == .flag { flags.formUnion(names) } else { values.formUnion(names) }
    }
    return ScriptVocabulary(flags: flags, values: values, lists: lists, numbers: numbers)
  }()
}
