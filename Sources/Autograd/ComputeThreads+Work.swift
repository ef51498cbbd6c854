import COneDNN

/// Work of pieces that have nothing to do with each other: results do not depend on the number of threads.
extension ComputeThreads {
  /// Calls `body` with every number below `count`, in any order and on several threads at a time: it may change what
  /// belongs to its number alone.
  package static func forEach(_ count: Int, _ body: (Int) -> Void) {
    guard count > 0 else { return }
    withoutActuallyEscaping(body) { body in
      var work = Work(body: body)
      unsafe withUnsafeMutablePointer(to: &work) {
        unsafe lyco_parallel(
          count,
          { index, context in
            unsafe context?.assumingMemoryBound(to: Work.self).pointee.body(index)
          }, $0)
      }
    }
  }

  /// Calls `body` with every element, to be changed, and its number; see `forEach`.
  package static func change<Element>(
    _ elements: inout [Element], _ body: (inout Element, Int) -> Void
  ) {
    unsafe elements.withUnsafeMutableBufferPointer { elements in
      guard let start = elements.baseAddress else { return }
      forEach(elements.count) { unsafe body(&start[$0], $0) }
    }
  }

  private struct Work { let body: (Int) -> Void }
}
