import Sampling

/// How noise and timesteps are drawn.
package struct NoiseSettings: Equatable, Sendable {
  /// Deviation of what is added to a whole channel.
  package var offset: Float?
  /// Whether the offset is drawn for every sample, from 0 up to `offset`.
  package var drawsOffset = false
  /// How much the offset grows with the mean of the channel.
  package var adaptiveScale: Float?
  /// Layers of noise of falling resolution.
  package var multiresIterations: Int?
  /// The share of each layer in that of the one before.
  package var multiresDiscount: Float = 0.3
  /// Deviation of noise that is in the input of the model, but not in what it is to find.
  package var inputPerturbation: Float?
  /// Whether it is drawn for every sample, from 0 up to `inputPerturbation`.
  package var drawsInputPerturbation = false
  /// From which timesteps are drawn, the upper bound excluded.
  package var timesteps = 0..<NoiseSchedule.timestepCount

  package init() {}

  /// Bounds of `timesteps` as options give them.
  /// - Throws: `SettingError.value`
  package static func timesteps(from first: Int?, to limit: Int?) throws(SettingError) -> Range<Int>
  {
    let (first, limit) = (first ?? 0, limit ?? NoiseSchedule.timestepCount)
    guard first >= 0, first < NoiseSchedule.timestepCount else {
      throw .value(
        option: "--min_timestep", expected: "0 to \(NoiseSchedule.timestepCount - 1)",
        found: "\(first)")
    }
    guard limit > first, limit <= NoiseSchedule.timestepCount else {
      throw .value(
        option: "--max_timestep",
        expected: "more than --min_timestep (\(first)) and at most \(NoiseSchedule.timestepCount)",
        found: "\(limit)")
    }
    return first..<limit
  }

  /// - Throws: `SettingError` for what cannot be followed.
  package func check() throws(SettingError) {
    if adaptiveScale != nil, offset == nil {
      throw .combination("'--adaptive_noise_scale' needs '--noise_offset'")
    }
    if let multiresIterations, multiresIterations < 0 {
      throw .value(
        option: "--multires_noise_iterations", expected: "0 or more", found: "\(multiresIterations)"
      )
    }
  }
}
