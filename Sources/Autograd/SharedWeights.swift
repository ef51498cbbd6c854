import COneDNN

/// Frozen matrices and kernels in memory that processes share.
package enum SharedWeights {
  /// Runs what makes matrices and kernels, which then lie in the memory as long as there is room. Processes have the
  /// same values of them that make the same ones in the same order; they may be used once the one that writes is done.
  /// - Parameters:
  ///   - start: of memory of zeros that every process may write to, and that lives longer than what is made.
  ///   - isWriter: whether this process writes the values.
  /// - Returns: what `body` does, and how many bytes of the memory are taken.
  package static func place<Result>(
    in start: UnsafeMutableRawPointer, _ size: Int, isWriter: Bool, _ body: () throws -> Result
  ) rethrows -> (result: Result, bytes: Int) {
    unsafe lyco_begin_sharing(start, size, isWriter ? 1 : 0)
    var bytes = 0
    let result: Result
    do {
      defer { bytes = lyco_end_sharing() }
      result = try body()
    }
    return (result, bytes)
  }
}
