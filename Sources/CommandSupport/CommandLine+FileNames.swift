import Machine

extension CommandLine {
  /// What the tool was called with, its own name left out, also where it is no UTF-8: see `String(fileName:)`.
  static var fileArguments: [String] {
    (0..<Int(argc)).dropFirst().compactMap { index in
      unsafe unsafeArgv[index].map { start in
        var bytes: [UInt8] = []
        while unsafe start[bytes.count] != 0 {
          bytes.append(UInt8(bitPattern: unsafe start[bytes.count]))
        }
        return String(fileName: bytes)
      }
    }
  }
}
