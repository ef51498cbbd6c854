import Synchronization

/// Results for programs: one value, or one list of what several jobs tell, never values side by side.
extension StandardOutput {
  /// What has been told of a list that is not finished; nil outside of one.
  private static let list = Mutex<[String]?>(nil)

  /// - Parameter text: one JSON value.
  package static func writeJSON(_ text: String) {
    let isKept = list.withLock { list in
      list?.append(text)
      return list != nil
    }
    if !isKept { write(text) }
  }

  /// Makes one list of all values that are written meanwhile, which is written at the end, whatever happens.
  /// - Parameter isWanted: otherwise each is written by itself.
  package static func asList(
    _ isWanted: Bool, _ work: () async throws -> Void
  ) async rethrows {
    guard isWanted else { return try await work() }
    list.withLock { $0 = [] }
    defer {
      let texts = list.withLock { list in
        defer { list = nil }
        return list ?? []
      }
      write(
        texts.isEmpty
          ? "[]\n"
          : "[\n" + texts.map { text in text.drop(whileEndsWith: "\n") }.joined(separator: ",\n")
            + "\n]\n")
    }
    try await work()
  }
}

extension String {
  fileprivate func drop(whileEndsWith character: Character) -> Substring {
    var text = self[...]
    while text.last == character { text.removeLast() }
    return text
  }
}
