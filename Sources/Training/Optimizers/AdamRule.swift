import CKernels

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// The step of Adam (Kingma and Ba 2015) for the elements of one parameter, with decay of the weight apart from
/// the gradient (Loshchilov and Hutter 2019) or in it.
struct AdamRule {
  var betas = (0.9, 0.999)
  var epsilon = 1e-8
  var weightDecay = 0.01
  /// Whether the weight decays by itself, not through the gradient.
  var isDecoupled = true

  /// The numbers of one step, rounded once.
  /// - Parameter step: counted from 1
  func factors(step: Int, rate: Double) -> lyco_adam_step {
    let first = 1 - pow(betas.0, Double(step))
    let second = 1 - pow(betas.1, Double(step))
    return lyco_adam_step(
      keep: isDecoupled ? Float(1 - rate * weightDecay) : 1,
      decay: isDecoupled ? 0 : Float(weightDecay), growth: Float(1 - betas.0),
      second_keep: Float(betas.1), second_growth: Float(1 - betas.1), size: Float(rate / first),
      correction: Float(second.squareRoot()), epsilon: Float(epsilon))
  }

  /// Moves `value[range]`, and `first` and `second` on, whose elements begin with that of the range.
  static func apply(
    _ step: lyco_adam_step, to value: inout [Float], _ gradient: [Float], _ range: Range<Int>,
    first: inout [Float], second: inout [Float]
  ) {
    precondition(
      range.upperBound <= value.count && value.count == gradient.count
        && range.count <= first.count && range.count <= second.count)
    unsafe value.withUnsafeMutableBufferPointer { value in
      unsafe gradient.withUnsafeBufferPointer { gradient in
        unsafe first.withUnsafeMutableBufferPointer { first in
          unsafe second.withUnsafeMutableBufferPointer { second in
            guard let p = value.baseAddress, let g = gradient.baseAddress,
              let m = first.baseAddress, let v = second.baseAddress
            else { return }
            unsafe lyco_adam(p + range.lowerBound, g + range.lowerBound, m, v, range.count, step)
          }
        }
      }
    }
  }
}
