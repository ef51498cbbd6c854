/// What adapters name as one module and a checkpoint keeps as several: `qkv` over `to_q`, `to_k` and
/// `to_v`; or as one whose halves stand in the other order: `norm_out.linear` over the modulation of the
/// original's last layer.
package struct SplitModule: Hashable, Sendable {
  /// In the order of the rows of the fused weight.
  package let parts: [FamilyModule]
  /// Names of parts that the checkpoint lacks.
  package let missing: [String]
}
