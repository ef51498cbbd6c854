package import Tensors

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

extension Tensor {
  /// `[numbers, width]`: cosines, then sines, of every number times frequencies from 1 down to 1/10000.
  ///
  /// Frequencies and phases are rounded to f32 where PyTorch rounds them: at timestep 1000 the last bit
  /// of a frequency moves a phase by 6e-5.
  package static func waves(of numbers: [Float], width: Int) -> Tensor {
    let half = width / 2
    let frequencies = (0..<half).map { i in
      Float(exp(Double(-Float(log(10000.0)) * Float(i) / Float(half))))
    }
    var elements: [Float] = []
    elements.reserveCapacity(numbers.count * width)
    for number in numbers {
      let phases = frequencies.map { Double(number * $0) }
      elements += phases.map { Float(cos($0)) }
      elements += phases.map { Float(sin($0)) }
    }
    return Tensor([numbers.count, 2 * half], elements)
  }

  /// The same in double precision, rounded at the end.
  package static func waves(of numbers: [Double], width: Int) -> Tensor {
    let half = width / 2
    let frequencies = (0..<half).map { pow(10000, -Double($0) / Double(half)) }
    let elements = numbers.flatMap { number in
      frequencies.map { Float(cos(number * $0)) } + frequencies.map { Float(sin(number * $0)) }
    }
    return Tensor([numbers.count, 2 * half], elements)
  }
}
