/// An option of `network_args` that can be said of a single module, ranks and alphas aside.
package enum TrainingOption: String, CaseIterable, Sendable {
  /// Rate at which neurons are left out.
  case dropout
  case rankDropout = "rank_dropout"
  /// Whether what rank dropout leaves is scaled up to make good for the rest.
  case rankDropoutScale = "rank_dropout_scale"
  case moduleDropout = "module_dropout"
  case tucker = "use_tucker"
  case scalar = "use_scalar"
  /// DoRA.
  case weightDecomposition = "dora_wd"
  case decomposesOutputs = "wd_on_output"
  case bypass = "bypass_mode"
  /// alpha is divided by the root of the rank.
  case rootOfRank = "rs_lora"
  case factor
  case decomposesBoth = "decompose_both"
  case fullMatrix = "full_matrix"
  case unbalanced = "unbalanced_factorization"
  case blockSize = "block_size"
  case rescaled
  case constraint
  case trainsOnInput = "train_on_input"
}

extension Set<TrainingOption> {
  /// Dropouts of a product of low rank.
  package static let dropouts: Self = [.rankDropout, .rankDropoutScale, .dropout, .bypass]

  /// What products of low rank have in common in LyCORIS.
  package static let products: Self = dropouts.union([
    .tucker, .scalar, .weightDecomposition, .decomposesOutputs, .rootOfRank,
  ])
}
