/// Rates at which parts of what text encoders make of a caption are left out, of every sample by itself and whether it
/// is kept or made anew.
///
/// Source: sd-scripts `library/strategy_sd3.py`.
package struct TextDropout: Equatable, Sendable {
  /// By part, as `ModelPipeline.textParts` calls it.
  package var rates: [String: Double] = [:]

  package init() {}

  /// Those parts of a sample that are left out.
  /// - Parameter parts: all that there are, in an order that does not change.
  func leftOut(of parts: [String], at moment: CaptionPipeline.Moment) -> Set<String> {
    var leftOut: Set<String> = []
    for (index, part) in parts.enumerated() {
      guard let rate = rates[part], rate > 0 else { continue }
      var generator = moment.generator(.textDropout(part: index))
      if Double(generator.uniform()) < rate { leftOut.insert(part) }
    }
    return leftOut
  }
}
