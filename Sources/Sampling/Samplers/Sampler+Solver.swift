package import ModelFamilies
package import Pipelines

extension Sampler {
  /// - Parameters:
  ///   - steps: 1 to 1000; of `pndm` 4 to 1000.
  ///   - prediction: what the model predicts. A flow is solved by `euler`.
  ///   - schedule: that of the model; one without signal at its end takes a model of velocity.
  ///   - clampsClean: whether `ddim` and `heun` hold their estimates of the clean latents to −1 … 1, as kohya's scripts
  ///     have it in samples while training; latents lie beyond, and colours suffer. The others never do.
  ///   - spacing: of steps along a flow.
  ///   - flowShift: how far steps along a flow are moved toward noise, above 0; 1 is not at all.
  /// - Throws: `SamplerError`
  package func solver(
    steps: Int, prediction: Prediction, schedule: NoiseSchedule = NoiseSchedule(),
    clampsClean: Bool = false, spacing: SamplingRules.Spacing = .whole, flowShift: Double = 1
  ) throws(SamplerError) -> any Solver {
    let least = name == .pndm ? PNDMSolver.leastStepCount : 1
    guard least...NoiseSchedule.timestepCount ~= steps else {
      throw .steps(name, found: steps, allowed: least...NoiseSchedule.timestepCount)
    }
    if case .flow = prediction {
      guard name == .euler, !usesKarrasSigmas else { throw .flow(self) }
      guard flowShift > 0, flowShift.isFinite else { throw .shift(flowShift) }
      return FlowEulerSolver(grid: FlowGrid(steps: steps, shift: flowShift, spacing: spacing))
    }
    let predictsVelocity = prediction == .velocity
    guard predictsVelocity || !schedule.isZeroTerminal else { throw .zeroTerminal }
    let table = SigmaTable(schedule)
    switch name {
    case .ddim:
      return RungeKuttaSolver.ddim(
        steps, schedule, predictsVelocity: predictsVelocity, clampsClean: clampsClean)
    case .pndm:
      let spacing = schedule.isZeroTerminal ? TimestepSpacing.trailing : .leading
      return PNDMSolver(
        timesteps: spacing.timesteps(steps), table: table, predictsVelocity: predictsVelocity)
    case .dpmSolver, .dpmSolverPlusPlus, .dpmSingle:
      return DPMSolver(
        grid: grid(steps, table), form: name == .dpmSingle ? .singlestep : .multistep,
        integratesClean: name != .dpmSolver, predictsVelocity: predictsVelocity)
    case .lms:
      return LMSSolver(grid: grid(steps, table), predictsVelocity: predictsVelocity)
    case .euler:
      return RungeKuttaSolver.euler(grid(steps, table), predictsVelocity: predictsVelocity)
    case .eulerAncestral:
      return RungeKuttaSolver.eulerAncestral(grid(steps, table), predictsVelocity: predictsVelocity)
    case .heun:
      return RungeKuttaSolver.heun(
        grid(steps, table), predictsVelocity: predictsVelocity, clampsClean: clampsClean)
    case .dpm2:
      return RungeKuttaSolver.dpm2(grid(steps, table), table, predictsVelocity: predictsVelocity)
    case .dpm2Ancestral:
      return RungeKuttaSolver.dpm2Ancestral(
        grid(steps, table), table, predictsVelocity: predictsVelocity)
    }
  }

  /// Solvers of λ tell the model whole timesteps, and so do those of DPM-Solver-2 by the σ of Karras: as in diffusers.
  private func grid(_ steps: Int, _ table: SigmaTable) -> TimeGrid {
    switch name {
    case .dpmSolver, .dpmSolverPlusPlus, .dpmSingle:
      // ε cannot be integrated to where λ is infinite.
      let end = name == .dpmSolver ? table.level(at: 0) : .clean
      return usesKarrasSigmas
        ? .karras(steps, table, isWhole: true, end: end) : .whole(steps, table, end: end)
    default:
      let isWhole = name == .dpm2 || name == .dpm2Ancestral
      return usesKarrasSigmas ? .karras(steps, table, isWhole: isWhole) : .linear(steps, table)
    }
  }
}
