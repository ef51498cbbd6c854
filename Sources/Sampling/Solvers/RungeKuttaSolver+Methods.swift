extension RungeKuttaSolver {
  /// Denoising diffusion implicit models (Song et al. 2021) without added noise.
  ///
  /// A step is as long as whole timesteps allow, 1000 / count rounded down, also where the next begins elsewhere: so
  /// diffusers has it.
  static func ddim(
    _ count: Int, _ schedule: NoiseSchedule, predictsVelocity: Bool, clampsClean: Bool
  ) -> RungeKuttaSolver {
    let spacing = schedule.isZeroTerminal ? TimestepSpacing.trailing : .leading
    func level(_ timestep: Int) -> NoiseLevel {
      timestep < 0 ? .clean : NoiseLevel(cumulativeAlpha: schedule.cumulativeAlphas[timestep])
    }
    return RungeKuttaSolver(
      steps: spacing.timesteps(count).map { timestep in
        let end = level(timestep - NoiseSchedule.timestepCount / count)
        return Step(
          start: TimeGrid.Point(time: Float(timestep), level: level(timestep)), target: end.sigma,
          end: end)
      }, initialScale: 1, predictsVelocity: predictsVelocity,
      clamping: clampsClean ? .clean : .none)
  }

  /// Euler's method in σ.
  static func euler(_ grid: TimeGrid, predictsVelocity: Bool) -> RungeKuttaSolver {
    let steps = grid.intervals.map { start, end in
      Step(start: start, target: end.sigma, end: end)
    }
    return RungeKuttaSolver(steps, predictsVelocity)
  }

  /// The same, further than to the next σ, and back by fresh noise.
  static func eulerAncestral(_ grid: TimeGrid, predictsVelocity: Bool) -> RungeKuttaSolver {
    let steps = grid.intervals.map { start, end in
      let (down, up) = ancestral(start.level.sigma, end.sigma)
      // The last is drawn in vain: who draws the next picture with the same generator gets what others do.
      return Step(start: start, target: down, added: up, end: end)
    }
    return RungeKuttaSolver(steps, predictsVelocity)
  }

  /// Heun's method: the mean of the slopes at both ends.
  static func heun(
    _ grid: TimeGrid, predictsVelocity: Bool, clampsClean: Bool
  ) -> RungeKuttaSolver {
    let ends = Array(grid.points.dropFirst())
    let steps = grid.intervals.enumerated().map { index, interval in
      let (start, end) = interval
      return Step(
        start: start, middle: index < ends.count ? ends[index] : nil, target: end.sigma, end: end)
    }
    return RungeKuttaSolver(
      steps, predictsVelocity, middleWeight: 0.5, clamping: clampsClean ? .cleanAndSlope : .none)
  }

  /// DPM-Solver-2 as k-diffusion has it: the slope in the middle, by the logarithm of σ.
  static func dpm2(
    _ grid: TimeGrid, _ table: SigmaTable, predictsVelocity: Bool
  ) -> RungeKuttaSolver {
    let steps = grid.intervals.map { start, end in
      Step(
        start: start, middle: table.middle(start.level.sigma, end.sigma), target: end.sigma,
        end: end)
    }
    return RungeKuttaSolver(steps, predictsVelocity, middleWeight: 1)
  }

  static func dpm2Ancestral(
    _ grid: TimeGrid, _ table: SigmaTable, predictsVelocity: Bool
  ) -> RungeKuttaSolver {
    let steps = grid.intervals.map { start, end in
      let (down, up) = ancestral(start.level.sigma, end.sigma)
      let middle = table.middle(start.level.sigma, down)
      return Step(
        start: start, middle: middle, target: down, added: middle.map { _ in up }, end: end)
    }
    return RungeKuttaSolver(steps, predictsVelocity, middleWeight: 1)
  }

  /// The initial noise is what stands beside no picture: σ N in x, noise · N in latents.
  private init(
    _ steps: [Step], _ predictsVelocity: Bool, middleWeight: Double = 0, clamping: Clamping = .none
  ) {
    self.init(
      steps: steps, initialScale: Float(steps.first?.start.level.noise ?? 1),
      predictsVelocity: predictsVelocity, middleWeight: middleWeight, clamping: clamping)
  }

  /// σ to go to from σ, and that of the noise which leads back to σ', with the variance that the forward process has
  /// between the two.
  private static func ancestral(_ sigma: Double, _ next: Double) -> (down: Double, up: Double) {
    let down = next * next / sigma
    return (down, (next * next - down * down).squareRoot())
  }
}

extension TimeGrid {
  /// Where each step begins and ends.
  fileprivate var intervals: [(start: Point, end: NoiseLevel)] {
    Array(zip(points, levels.dropFirst()))
  }
}

extension SigmaTable {
  /// nil on the way to 0, which has no logarithm.
  fileprivate func middle(_ sigma: Double, _ target: Double) -> TimeGrid.Point? {
    guard target > 0 else { return nil }
    let middle = (sigma * target).squareRoot()
    return TimeGrid.Point(time: time(of: middle), level: NoiseLevel(sigma: middle))
  }
}
