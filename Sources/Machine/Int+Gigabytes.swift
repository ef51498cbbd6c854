extension Int {
  /// A number of bytes for people: `11.3 GB`.
  package var asGigabytes: String {
    let tenths = Int((Double(self) / 1e8).rounded())
    return "\(tenths / 10).\(tenths % 10) GB"
  }
}
