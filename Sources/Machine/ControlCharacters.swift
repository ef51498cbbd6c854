extension Unicode.Scalar {
  /// What a terminal obeys instead of showing it: C0 and C1, delete, the marks that reorder text, and those that end
  /// lines.
  package var isControl: Bool {
    switch value {
    case 0..<0x20, 0x7F..<0xA0, 0x061C, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069: true
    default: false
    }
  }
}
