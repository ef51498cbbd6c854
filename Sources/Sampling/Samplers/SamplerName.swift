/// The solvers by the names of kohya's scripts (`--sample_sampler`).
package enum SamplerName: String, CaseIterable, Sendable {
  case ddim
  case pndm
  case lms
  case euler
  case eulerAncestral = "euler_a"
  case heun
  case dpm2 = "dpm_2"
  case dpm2Ancestral = "dpm_2_a"
  case dpmSolver = "dpmsolver"
  case dpmSolverPlusPlus = "dpmsolver++"
  case dpmSingle = "dpmsingle"

  /// What web UIs call it, in their menus and in the metadata of pictures.
  package var title: String {
    switch self {
    case .ddim: "DDIM"
    case .pndm: "PNDM"
    case .lms: "LMS"
    case .euler: "Euler"
    case .eulerAncestral: "Euler a"
    case .heun: "Heun"
    case .dpm2: "DPM2"
    case .dpm2Ancestral: "DPM2 a"
    case .dpmSolver: "DPM-Solver 2M"
    case .dpmSolverPlusPlus: "DPM++ 2M"
    case .dpmSingle: "DPM++ 2S"
    }
  }

  /// Other names of kohya's scripts and web UIs, and those of ComfyUI.
  var aliases: [String] {
    switch self {
    case .ddim, .heun, .dpmSolver, .dpmSingle: []
    case .pndm: ["plms"]
    case .lms: ["k_lms"]
    case .euler: ["k_euler"]
    case .eulerAncestral: ["k_euler_a", "euler_ancestral"]
    case .dpm2: ["k_dpm_2"]
    case .dpm2Ancestral: ["k_dpm_2_a", "dpm_2_ancestral"]
    case .dpmSolverPlusPlus: ["dpmpp_2m"]
    }
  }

  /// Whether it counts in σ or λ, and not in whole timesteps at equal distances.
  var takesKarrasSigmas: Bool { self != .ddim && self != .pndm }
}
