extension String {
  /// Whether this can only be a path of Windows that was written in double quotes, where `\n` and `\t` of
  /// `"C:\new\train"` are a line end and a tab: a drive or a share, and a control character after it.
  package var isMisquotedWindowsPath: Bool {
    let start = Array(utf8.prefix(2))
    guard start.count == 2 else { return false }
    let isLetter = (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(start[0] | 0x20)
    let hasDrive = isLetter && start[1] == UInt8(ascii: ":")
    return (hasDrive || start[0] == UInt8(ascii: "\\")) && utf8.contains { $0 < 0x20 }
  }

  /// What to say of such a path.
  package static let misquotedWindowsPath =
    "a path with a line end or a tab in it: in double quotes a backslash begins an escape; \(singleQuotesHint)"

  static let singleQuotesHint =
    "a text with backslashes, as a path of Windows, stands in single quotes: 'C:\\images'"
}
