/// Where a solver asks the model on its way from noise to a picture.
struct TimeGrid: Hashable, Sendable {
  struct Point: Hashable, Sendable {
    /// What the model is told, 0 to 999.
    let time: Float
    let level: NoiseLevel
  }

  /// One for each step, from noise on.
  let points: [Point]
  /// Where the last step ends.
  let end: NoiseLevel

  /// The level before every step and behind the last.
  var levels: [NoiseLevel] { points.map(\.level) + [end] }

  /// From the last timestep to the first, at equal distances, which need not be whole.
  ///
  /// One step begins at the last timestep.
  static func linear(_ count: Int, _ table: SigmaTable) -> TimeGrid {
    let last = Double(table.sigmas.count - 1)
    let stride = count == 1 ? 0 : last / Double(count - 1)
    return TimeGrid(
      points: (0..<count).reversed().map { i in
        let time = count == 1 ? Float(last) : Float(Double(i) * stride)
        return Point(time: time, level: NoiseLevel(sigma: table.sigma(at: time)))
      }, end: .clean)
  }

  /// Whole timesteps at about equal distances from the last on; the way is as long as if one more stood at 0.
  static func whole(_ count: Int, _ table: SigmaTable, end: NoiseLevel = .clean) -> TimeGrid {
    let stride = Double(table.sigmas.count - 1) / Double(count)
    return TimeGrid(
      points: (1...count).reversed().map { i in
        let timestep = (Double(i) * stride).rounded(.toNearestOrEven)
        return Point(time: Float(timestep), level: table.level(at: Int(timestep)))
      }, end: end)
  }

  /// The σ of Karras.
  /// - Parameter isWhole: whether the model is told whole timesteps.
  static func karras(
    _ count: Int, _ table: SigmaTable, isWhole: Bool, end: NoiseLevel = .clean
  ) -> TimeGrid {
    TimeGrid(
      points: table.karras(count).map { sigma in
        let time = table.time(of: sigma)
        return Point(
          time: isWhole ? time.rounded(.toNearestOrEven) : time, level: NoiseLevel(sigma: sigma))
      }, end: end)
  }
}
