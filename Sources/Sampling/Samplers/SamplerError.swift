import ModelFamilies

/// A sampler that does not exist, or cannot do what is asked.
package enum SamplerError: Error, Equatable {
  /// No sampler has this name.
  case name(String)
  /// The σ of Karras, for a solver that does not count by σ.
  case karras(SamplerName)
  case steps(SamplerName, found: Int, allowed: ClosedRange<Int>)
  /// Not `euler`, for a model that predicts a flow.
  case flow(Sampler)
  /// A shift of steps along a flow.
  case shift(Double)
  /// A model of noise with a schedule whose last timestep is noise alone.
  case zeroTerminal
}

extension SamplerError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .name(let found):
      "unknown sampler '\(found)'" + Self.advice(found)
    case .karras(let name):
      "sampler '\(name.rawValue)' goes by whole timesteps and takes no Karras sigmas; "
        + "expected one of \(Self.list { $0.takesKarrasSigmas })"
    case .steps(let name, let found, let allowed):
      "sampler '\(name.rawValue)': expected \(allowed.lowerBound) to \(allowed.upperBound) steps, "
        + "found \(found)"
    case .flow(let sampler):
      "sampler '\(sampler.title)' cannot follow the flow that this model predicts; "
        + "expected '\(SamplerName.euler.rawValue)'"
    case .shift(let found): "shift of a flow: expected a number above 0, found \(found)"
    case .zeroTerminal:
      "zero terminal SNR: a model that predicts noise cannot start where there is nothing else; "
        + "expected one that predicts velocity (v_prediction)"
    }
  }

  private static func advice(_ found: String) -> String {
    let words = SamplerName.allCases.flatMap { [$0.rawValue, $0.title] + $0.aliases }
    if let nearest = words.nearest(to: found) { return "; did you mean '\(nearest)'?" }
    return ", expected one of \(list { _ in true })"
  }

  private static func list(_ isIncluded: (SamplerName) -> Bool) -> String {
    SamplerName.allCases.filter(isIncluded).map(\.rawValue).joined(separator: ", ")
  }
}
