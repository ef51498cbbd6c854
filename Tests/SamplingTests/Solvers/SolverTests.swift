import LinearAlgebra
import OrderedCollections
import Pipelines
import Safetensors
import Tensors
import TestSupport
import Testing

@testable import Sampling

@Suite struct SolverTests {
  private static let golden = Result {
    try TensorFile(opening: Fixtures.path("sampling/samplers.safetensors"))
  }

  private func tensor(_ name: String) throws -> Tensor {
    try #require(Self.golden.get().tensors[name]).tensor()
  }

  /// What a solver asks and draws on its way, and where it ends.
  private struct Walk {
    var inputs: [Tensor] = []
    var times: [Float] = []
    var noiseCount = 0
    var done: [Int] = []
    var clean: [Tensor] = []
    var result: Tensor
  }

  private func walk(_ solver: any Solver, _ golden: SolverCase) throws -> Walk {
    let start = try tensor("start")
    let noises = try tensor("noises")
    var walk = Walk(result: start)
    walk.result = try solver.solve(
      start,
      denoise: { latents, time in
        walk.inputs.append(latents)
        walk.times.append(time)
        return golden.model(latents, time)
      },
      noise: {
        walk.noiseCount += 1
        return noises.rows(walk.noiseCount - 1..<walk.noiseCount).reshaped(start.shape)
      },
      progress: { done, clean in
        walk.done.append(done)
        walk.clean.append(clean)
      })
    return walk
  }

  /// Every input of the model, the times that it is told, and the end.
  @Test(arguments: SamplerName.allCases) func goesWhereDiffusersGoes(_ name: SamplerName) throws {
    var worst = (input: 0.0, result: 0.0, time: Float(0), zeroTerminal: 0.0)
    let cases = try SolverCase.all().filter { $0.value.sampler == name.rawValue }
    #expect(cases.count >= 6)
    for (label, golden) in cases {
      let solver = try golden.solver()
      let walk = try walk(solver, golden)
      #expect(walk.times.count == golden.times.count, "\(label): calls")
      #expect(solver.callCount == golden.times.count, "\(label): calls foretold")
      #expect(solver.stepCount == golden.steps, "\(label): steps")
      #expect(walk.done == Array(1...golden.steps), "\(label): progress")
      #expect(walk.noiseCount == golden.noises, "\(label): noises")
      guard walk.times.count == golden.times.count else { continue }

      let inputs = try tensor("\(label) inputs")
      let count = walk.result.count
      // σ is 4096 there, and roundings of ε in f32 count as often: 4096 · 2⁻²⁴ = 2e-4 of signals of 0.2 and less.
      let isCoarse = golden.zeroTerminal == true && name.goesBySigma
      let tolerance = isCoarse ? 1e-4 : 1e-5
      for (call, input) in walk.inputs.enumerated() {
        let expected = Tensor(
          input.shape, Array(inputs.elements[call * count..<(call + 1) * count]))
        let error = relativeError(input, expected)
        if isCoarse {
          worst.zeroTerminal = max(worst.zeroTerminal, error)
        } else {
          worst.input = max(worst.input, error)
        }
        expectClose(input, expected, tolerance: tolerance, "\(label), call \(call)")
        // diffusers takes times between timesteps from logarithms in f32: 6e-8 · 2.7 of 0.005 a timestep.
        let distance = abs(walk.times[call] - golden.times[call])
        worst.time = max(worst.time, distance)
        #expect(distance <= 1e-3, "\(label), call \(call): \(walk.times[call])")
      }
      let result = try tensor("\(label) result")
      expectClose(walk.result, result, tolerance: tolerance, label)
      if !isCoarse { worst.result = max(worst.result, relativeError(walk.result, result)) }
    }
    print(
      "\(name.rawValue): worst relative errors of inputs \(worst.input), of results "
        + "\(worst.result), with σ of 4096 \(worst.zeroTerminal); of times \(worst.time)")
  }

  /// Where the last step is of first order and leaves no noise, it ends at its estimate.
  @Test(arguments: ["ddim", "euler", "euler_a", "heun", "dpm_2", "dpmsolver++", "dpmsingle"])
  func lastEstimateIsTheResult(_ name: String) throws {
    let golden = try #require(try SolverCase.all()["\(name) velocity 7"])
    let walk = try walk(try golden.solver(), golden)
    let last = try #require(walk.clean.last)
    // One rounding of f32.
    expectClose(walk.result, last, tolerance: 1e-7, name)
  }

  /// Estimates are those of the model: without noise, and at the beginning not the picture of the end.
  @Test func estimatesComeFromTheModel() throws {
    let golden = try #require(try SolverCase.all()["euler noise 7"])
    let walk = try walk(try golden.solver(), golden)
    for (index, time) in walk.times.enumerated() {
      let level = NoiseLevel(sigma: SigmaTable(NoiseSchedule()).sigma(at: time))
      let (input, output) = (walk.inputs[index], golden.model(walk.inputs[index], time))
      let expected =
        input.adding(output, times: -Float(level.noise)) * Float(1 / level.signal)
      // Three roundings of f32, of numbers that partly cancel.
      expectClose(walk.clean[index], expected, tolerance: 1e-6, "step \(index)")
    }
  }

  @Test func whatIsThrownStops() throws {
    struct Stop: Error {}
    for name in SamplerName.allCases {
      let solver = try Sampler(name).solver(steps: 8, prediction: .velocity)
      var last = 0
      #expect(throws: Stop.self) {
        try solver.solve(
          Tensor(zeros: [1, 2, 2, 4]), denoise: { latents, _ in latents },
          noise: { Tensor(zeros: [1, 2, 2, 4]) },
          progress: { done, _ in
            last = done
            if done == 3 { throw Stop() }
          })
      }
      #expect(last == 3, "\(name)")
    }
  }

  /// The weights of the linear multistep method are those of Adams and Bashforth where steps are equal.
  @Test func weightsOfEqualStepsAreAdamsBashforths() {
    let weights = LMSSolver.weights([4, 5, 6, 7], to: 3)
    for (weight, expected) in zip(weights, [-55.0, 59, -37, 9]) {
      // Sums of a few doubles.
      #expect(abs(weight - expected / 24) < 1e-14)
    }
  }
}

extension SamplerName {
  /// Whether slopes are multiplied by σ, and not by the signal or noise of latents.
  fileprivate var goesBySigma: Bool {
    switch self {
    case .lms, .euler, .eulerAncestral, .heun, .dpm2, .dpm2Ancestral: true
    case .ddim, .pndm, .dpmSolver, .dpmSolverPlusPlus, .dpmSingle: false
    }
  }
}
