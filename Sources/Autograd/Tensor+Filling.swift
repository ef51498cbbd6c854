import Tensors

extension Tensor {
  /// A tensor whose elements `body` writes, all of them.
  init(filling shape: Shape, _ body: (UnsafeMutablePointer<Float>) -> Void) {
    let count = shape.count
    self.init(
      shape,
      unsafe [Float](unsafeUninitializedCapacity: count) { target, initialized in
        if let start = target.baseAddress {
          unsafe adviseHugePages(start, count)
          unsafe body(start)
        }
        initialized = count
      })
  }

  /// Calls `body` with the elements; not at all where there are none.
  func reading(_ body: (UnsafePointer<Float>) -> Void) {
    unsafe elements.withUnsafeBufferPointer {
      if let start = $0.baseAddress { unsafe body(start) }
    }
  }

  /// Calls `body` with the elements to change, in place where they are not shared.
  mutating func changing(_ body: (UnsafeMutablePointer<Float>) -> Void) {
    unsafe elements.withUnsafeMutableBufferPointer {
      if let start = $0.baseAddress { unsafe body(start) }
    }
  }
}

/// Calls `body` with the elements of a tensor, or with nil.
func withOptional<Result>(
  _ tensor: Tensor?, _ body: (UnsafePointer<Float>?) -> Result
) -> Result {
  guard let tensor else { return body(nil) }
  return unsafe tensor.elements.withUnsafeBufferPointer { unsafe body($0.baseAddress) }
}
