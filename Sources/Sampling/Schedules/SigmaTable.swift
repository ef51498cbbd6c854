#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// σ = √((1 − ᾱ) / ᾱ) of every timestep of a schedule, and of times between them.
///
/// Interpolation is that of k-diffusion as diffusers has it (`scheduling_euler_discrete.py`): σ is linear in time, and
/// the time of a σ linear in its logarithm.
struct SigmaTable {
  /// What stands for an ᾱ of 0, whose σ would be infinite: the least number of half precision, as in diffusers.
  static let leastAlpha: Float = 0x1p-24

  /// Rising, one for each timestep.
  let sigmas: [Double]
  private let logarithms: [Double]

  init(_ schedule: NoiseSchedule) {
    sigmas = schedule.cumulativeAlphas.map {
      let alpha = Double($0 == 0 ? Self.leastAlpha : $0)
      return ((1 - alpha) / alpha).squareRoot()
    }
    logarithms = sigmas.map { log($0) }
  }

  /// - Parameter time: 0 to the last timestep.
  func sigma(at time: Float) -> Double {
    let low = min(Int(time), sigmas.count - 2)
    return sigmas[low] + (Double(time) - Double(low)) * (sigmas[low + 1] - sigmas[low])
  }

  func level(at timestep: Int) -> NoiseLevel { NoiseLevel(sigma: sigmas[timestep]) }

  /// The time at which σ is this, or the nearest that there is.
  /// - Parameter sigma: above 0.
  func time(of sigma: Double) -> Float {
    let value = log(sigma)
    let low = min(logarithms.lastIndex { $0 <= value } ?? 0, sigmas.count - 2)
    let share = (value - logarithms[low]) / (logarithms[low + 1] - logarithms[low])
    return Float(Double(low) + max(0, min(share, 1)))
  }

  /// From the largest σ to the least, equally far from each other in their seventh roots (Karras et al. 2022, "Elucidating
  /// the design space of diffusion-based generative models", equation 5).
  func karras(_ count: Int) -> [Double] {
    let exponent = 7.0
    let (first, last) = (
      pow(sigmas[sigmas.count - 1], 1 / exponent), pow(sigmas[0], 1 / exponent)
    )
    return (0..<count).map { i in
      let share = count == 1 ? 0 : Double(i) / Double(count - 1)
      return pow(first + share * (last - first), exponent)
    }
  }
}
