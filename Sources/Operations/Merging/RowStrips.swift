extension Range<Int> {
  /// Elements of a strip: 8 MiB of f32, so that a worker's memory is used again and again rather
  /// than given back to the system and faulted in anew.
  private static let stripCount = 1 << 21

  /// The rows in strips of about equal memory, at least one row each.
  /// - Parameter width: elements of a row.
  func strips(of width: Int) -> [Range<Int>] {
    let height = Swift.max(Self.stripCount / Swift.max(width, 1), 1)
    return stride(from: lowerBound, to: upperBound, by: height).map {
      $0..<Swift.min($0 + height, upperBound)
    }
  }
}
