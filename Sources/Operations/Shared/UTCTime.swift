/// A moment in the Gregorian calendar.
struct UTCTime: Sendable {
  private let seconds: Int

  /// - Parameter seconds: what Python's `time.time()` returns.
  init(secondsSince1970 seconds: Double) {
    // Years 0 to 9999: what lies outside is no time of training.
    self.seconds = Int(min(max(seconds.isNaN ? 0 : seconds, -62_167_219_200), 253_402_300_799))
  }

  /// `2024-05-01 12:30 UTC`
  var text: String {
    let (days, second) = seconds.quotientAndFloorRemainder(by: 86400)
    // Days since 0000-03-01, in cycles of 400 years. Source: Hinnant, "chrono-compatible low-level
    // date algorithms".
    let (era, day) = (days + 719_468).quotientAndFloorRemainder(by: 146_097)
    let yearOfEra = (day - day / 1460 + day / 36524 - day / 146_096) / 365
    let dayOfYear = day - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let marchMonth = (5 * dayOfYear + 2) / 153
    let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    let date = [month, dayOfYear - (153 * marchMonth + 2) / 5 + 1].map(Self.padded)
    let time = [second / 3600, second / 60 % 60].map(Self.padded)
    return "\(year)-\(date.joined(separator: "-")) \(time.joined(separator: ":")) UTC"
  }

  private static func padded(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}

extension Int {
  fileprivate func quotientAndFloorRemainder(by divisor: Int) -> (Int, Int) {
    let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
  }
}
