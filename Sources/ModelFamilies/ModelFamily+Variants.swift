/// What trainers do with a family, or with models of it that they treat otherwise.
///
/// A variant is a word of the family's file, under `variants` of the tables in which it differs. `encoded` is one
/// wherever a family's items come encoded as another trainer has them, see `[caches]`.
extension ModelFamily {
  /// The variant of items that come encoded.
  package static let encoded = "encoded"

  /// How times are drawn; musubi-tuner's where the family's file says nothing.
  package func flowRules(of variant: String? = nil) -> FlowRules {
    let all = definition?.flow
    return variant.flatMap { all?.variants[$0] } ?? all?.common ?? FlowRules()
  }

  /// What trainers choose of it.
  package func trainedClasses(of variant: String?) -> TrainedClasses {
    variant.flatMap { definition?.trainedVariants[$0] } ?? trainedClasses
  }

  /// The variant that a program of sd-scripts or musubi-tuner trains; nil for one that trains no variant.
  package func variant(trainedBy script: String) -> String? {
    definition?.trainedVariants.first { $0.value.kohya?.script == script }?.key
  }
}
