/// The part of ‖A − B‖² that another block of a sketch may still take from its result B.
package enum SketchTolerance {
  /// Where the result stands: its error is then at most 3.7e-4 above the least, see `Tensor.randomizedSVD`.
  package static let usual = 6e-4
  /// Where sweeps follow that make good what is left.
  package static let rough = 2e-2
}
