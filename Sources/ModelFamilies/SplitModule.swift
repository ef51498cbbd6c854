/// What adapters name as one module and a checkpoint keeps as several: `qkv` over `to_q`, `to_k` and
/// `to_v`.
package struct SplitModule: Hashable, Sendable {
  /// In the order of the rows of the fused weight.
  package let parts: [FamilyModule]
  /// Names of parts that the checkpoint lacks.
  package let missing: [String]
}
