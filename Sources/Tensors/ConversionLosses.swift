import CKernels

/// What numbers lose when they are stored in another format. Every number is counted once at most,
/// by the first that is true of it.
package struct ConversionLosses: Codable, Equatable, Sendable {
  /// Numbers that were converted.
  package var count = 0
  /// Not a number before.
  package var notANumber = 0
  /// Infinite before.
  package var infinite = 0
  /// Finite before; infinite, or held at the largest number of the format, after.
  package var overflowed = 0
  /// Not zero before, and zero after.
  package var underflowed = 0
  /// Another number after.
  package var rounded = 0

  package init() {}

  init(_ losses: lyco_losses, of count: Int) {
    self.count = count
    notANumber = Int(losses.not_a_number)
    infinite = Int(losses.infinite)
    overflowed = Int(losses.overflowed)
    underflowed = Int(losses.underflowed)
    rounded = Int(losses.rounded)
  }

  package static func += (a: inout ConversionLosses, b: ConversionLosses) {
    a.count += b.count
    a.notANumber += b.notANumber
    a.infinite += b.infinite
    a.overflowed += b.overflowed
    a.underflowed += b.underflowed
    a.rounded += b.rounded
  }
}
