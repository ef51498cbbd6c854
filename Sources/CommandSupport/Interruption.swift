package import SystemPackage

/// A run that was interrupted when some of its outputs were finished.
package struct Interruption: Error, CustomStringConvertible {
  private let written: [FilePath]
  private let total: Int

  /// - Parameters:
  ///   - written: what is finished
  ///   - total: how many outputs there were to be
  package init(written: [FilePath], of total: Int) {
    (self.written, self.total) = (written, total)
  }

  package var description: String {
    guard let last = written.last else { return "interrupted; nothing was written" }
    let rest = total - written.count
    return "interrupted; \(written.count) of \(total) outputs are written, up to \(last)"
      + (rest == 1 ? ", one is not" : ", \(rest) are not")
  }
}
