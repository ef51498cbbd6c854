import COneDNN

/// The format in which the factors of large products are held; sums are always f32.
package enum ComputeType: String, CaseIterable, Sendable {
  case f32
  case bf16

  var oneDNN: lyco_compute { self == .bf16 ? LYCO_BF16 : LYCO_F32 }

  /// Whether the processor multiplies in it; otherwise weights are only stored so.
  package var isNative: Bool { self == .f32 || lyco_has_bf16() != 0 }
}

/// Threads of products, convolutions and layers.
package enum ComputeThreads {
  /// To be called on the thread that trains.
  package static func set(_ count: Int) { lyco_set_threads(Int32(clamping: count)) }

  /// All cores, but one for a small model, whose threads would spend their time waiting for each other. Results do not
  /// depend on it.
  /// - Parameter operations: multiplications and additions of one call of the model.
  package static func suited(to operations: Double, of cores: Int) -> Int {
    operations < 2e10 ? 1 : cores
  }
}

/// oneDNN fails only where memory runs out or an operation does not exist: neither can be answered.
func check(_ status: Int32, _ operation: @autoclosure () -> String) {
  precondition(status == 0, "oneDNN, status \(status): \(operation())")
}
