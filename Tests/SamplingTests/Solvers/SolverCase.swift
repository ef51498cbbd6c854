import Foundation
import Pipelines
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Sampling

/// One scheduler of diffusers and where it led, see `scripts/fixtures/sampling/make-sampler-fixtures.py`.
struct SolverCase: Decodable {
  let sampler: String
  let prediction: String
  let steps: Int
  let karras: Bool?
  let zeroTerminal: Bool?
  let clamps: Bool?
  let shift: Double?
  /// Of each call of the model.
  let times: [Float]
  /// How many were drawn on the way.
  let noises: Int

  static func all() throws -> [String: SolverCase] {
    let path = Fixtures.path("sampling/samplers.json").string
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(
      [String: SolverCase].self, from: Data(contentsOf: URL(filePath: path)))
  }

  var predicted: Prediction {
    switch prediction {
    case "noise": .noise
    case "velocity": .velocity
    default: .flow(timeOffset: 1)
    }
  }

  func solver() throws -> any Solver {
    let sampler = try Sampler(
      #require(SamplerName(rawValue: sampler)), usesKarrasSigmas: karras == true)
    return try sampler.solver(
      steps: steps, prediction: predicted,
      schedule: NoiseSchedule(zeroTerminal: zeroTerminal == true), clampsClean: clamps == true,
      flowShift: shift ?? 1)
  }

  /// The model of the script.
  func model(_ latents: Tensor, _ time: Float) -> Tensor {
    let t = Double(time)
    let (factor, offset) =
      shift == nil
      ? (0.6 + 0.3 * cos(t / 300), 0.1 * sin(t / 100))
      : (0.5 + 0.4 * cos(3 * t / 1000), 0.2 * sin(t / 200))
    return Tensor(
      latents.shape, latents.elements.map { Float(factor) * $0 + Float(offset) })
  }
}
