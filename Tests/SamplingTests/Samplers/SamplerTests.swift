import Pipelines
import Tensors
import Testing

@testable import Sampling

@Suite struct SamplerTests {
  private static let names: [(text: String, name: SamplerName, karras: Bool)] = [
    // The choices of kohya's `--sample_sampler`.
    ("ddim", .ddim, false), ("pndm", .pndm, false), ("lms", .lms, false),
    ("euler", .euler, false), ("euler_a", .eulerAncestral, false), ("heun", .heun, false),
    ("dpm_2", .dpm2, false), ("dpm_2_a", .dpm2Ancestral, false),
    ("dpmsolver", .dpmSolver, false), ("dpmsolver++", .dpmSolverPlusPlus, false),
    ("dpmsingle", .dpmSingle, false), ("k_lms", .lms, false), ("k_euler", .euler, false),
    ("k_euler_a", .eulerAncestral, false), ("k_dpm_2", .dpm2, false),
    ("k_dpm_2_a", .dpm2Ancestral, false),
    // Web UIs.
    ("Euler a", .eulerAncestral, false), ("Euler", .euler, false), ("DDIM", .ddim, false),
    ("PLMS", .pndm, false),
    ("LMS Karras", .lms, true), ("Heun", .heun, false), ("DPM2", .dpm2, false),
    ("DPM2 Karras", .dpm2, true), ("DPM2 a", .dpm2Ancestral, false),
    ("DPM2 a Karras", .dpm2Ancestral, true), ("DPM++ 2M", .dpmSolverPlusPlus, false),
    ("DPM++ 2M Karras", .dpmSolverPlusPlus, true),
    // ComfyUI.
    ("euler_ancestral", .eulerAncestral, false), ("dpm_2_ancestral", .dpm2Ancestral, false),
    ("dpmpp_2m", .dpmSolverPlusPlus, false), ("dpmpp_2m_karras", .dpmSolverPlusPlus, true),
  ]

  @Test func namesOfOtherProgramsAreKnown() throws {
    for (text, name, karras) in Self.names {
      #expect(try Sampler(parsing: text) == Sampler(name, usesKarrasSigmas: karras), "\(text)")
    }
  }

  @Test func titlesAreParsedAgain() throws {
    for name in SamplerName.allCases {
      for karras in [false, true] where name.takesKarrasSigmas || !karras {
        let sampler = try Sampler(name, usesKarrasSigmas: karras)
        #expect(try Sampler(parsing: sampler.title) == sampler)
      }
    }
    #expect(try Sampler(parsing: "dpmpp_2m_karras").title == "DPM++ 2M Karras")
  }

  /// No word stands for two of them.
  @Test func namesAreDistinct() {
    let words = SamplerName.allCases.flatMap { name in
      Set(([name.rawValue, name.title] + name.aliases).map(Sampler.folded))
    }
    #expect(Set(words).count == words.count)
  }

  @Test func callsAreForetold() throws {
    let calls: [SamplerName: Int] = [
      .pndm: 29, .heun: 39, .dpm2: 39, .dpm2Ancestral: 39,
    ]
    for name in SamplerName.allCases {
      let solver = try Sampler(name).solver(steps: 20, prediction: .noise)
      #expect(solver.stepCount == 20)
      #expect(solver.callCount == calls[name] ?? 20, "\(name)")
    }
    let flow = try Sampler(.euler).solver(steps: 4, prediction: .flow(timeOffset: 0))
    #expect((flow.stepCount, flow.callCount) == (4, 4))
  }

  /// One step begins at noise, where solvers are not bound to multiples of the distance.
  @Test func oneStepBeginsAtNoise() throws {
    for name in SamplerName.allCases where name != .pndm && name != .ddim {
      for karras in [false, true] {
        var times: [Float] = []
        let sampler = try Sampler(name, usesKarrasSigmas: karras)
        let result = try sampler.solver(steps: 1, prediction: .velocity).solve(
          .init([1], [2]),
          denoise: { latents, time in
            times.append(time)
            return latents
          }, noise: { .init([1], [1]) }, progress: { _, _ in })
        #expect(times == [999], "\(name)")
        #expect(result.isFinite)
      }
    }
  }

  private func message(_ body: () throws -> Void) -> String {
    do {
      try body()
      return "nothing was thrown"
    } catch { return "\(error)" }
  }

  @Test func whatCannotBeDoneIsSaid() throws {
    let messages = [
      message { _ = try Sampler(parsing: "euler_b") },
      message { _ = try Sampler(parsing: "UniPC") },
      message { _ = try Sampler(parsing: "DDIM Karras") },
      message { _ = try Sampler(.heun).solver(steps: 0, prediction: .noise) },
      message { _ = try Sampler(.ddim).solver(steps: 1001, prediction: .noise) },
      message { _ = try Sampler(.pndm).solver(steps: 3, prediction: .noise) },
      message {
        _ = try Sampler(.dpmSolverPlusPlus, usesKarrasSigmas: true)
          .solver(steps: 20, prediction: .flow(timeOffset: 0))
      },
      message {
        _ = try Sampler(.euler).solver(
          steps: 20, prediction: .flow(timeOffset: 0), flowShift: 0)
      },
      message {
        _ = try Sampler(.euler).solver(
          steps: 20, prediction: .noise, schedule: NoiseSchedule(zeroTerminal: true))
      },
    ]
    #expect(
      messages == [
        "unknown sampler 'euler_b'; did you mean 'euler_a'?",
        "unknown sampler 'UniPC', expected one of ddim, pndm, lms, euler, euler_a, heun, dpm_2, "
          + "dpm_2_a, dpmsolver, dpmsolver++, dpmsingle",
        "sampler 'ddim' goes by whole timesteps and takes no Karras sigmas; expected one of lms, "
          + "euler, euler_a, heun, dpm_2, dpm_2_a, dpmsolver, dpmsolver++, dpmsingle",
        "sampler 'heun': expected 1 to 1000 steps, found 0",
        "sampler 'ddim': expected 1 to 1000 steps, found 1001",
        "sampler 'pndm': expected 4 to 1000 steps, found 3",
        "sampler 'DPM++ 2M Karras' cannot follow the flow that this model predicts; "
          + "expected 'euler'",
        "shift of a flow: expected a number above 0, found 0.0",
        "zero terminal SNR: a model that predicts noise cannot start where there is nothing else; "
          + "expected one that predicts velocity (v_prediction)",
      ])
  }
}
