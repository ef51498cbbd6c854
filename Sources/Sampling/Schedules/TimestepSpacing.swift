/// Whole timesteps of the solvers that count in them, as diffusers' `timestep_spacing` calls them.
enum TimestepSpacing: Hashable, Sendable {
  /// Multiples of the distance, from 0 on: the last timestep is never asked.
  case leading
  /// From the last timestep on: where it is noise alone, it must be asked (Lin et al. 2023).
  case trailing

  /// Falling.
  /// - Parameter count: 1 to the number of timesteps.
  func timesteps(_ count: Int, of total: Int = NoiseSchedule.timestepCount) -> [Int] {
    (0..<count).map { i in
      switch self {
      case .leading: (count - 1 - i) * (total / count)
      case .trailing:
        Int(
          (Double(total) - Double(i) * (Double(total) / Double(count)))
            .rounded(.toNearestOrEven)) - 1
      }
    }
  }
}
