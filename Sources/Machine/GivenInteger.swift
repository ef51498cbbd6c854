/// Whole numbers that options, configurations and presets give.
package enum GivenInteger {
  /// The one range of all of them: what is made by multiplying two of them still is a number, and whoever needs
  /// more has made a slip.
  package static let range = -(1 << 31)...(1 << 31) - 1

  /// - Parameter least: the smallest that has a meaning
  package static func range(from least: Int) -> ClosedRange<Int> { least...range.upperBound }
}
