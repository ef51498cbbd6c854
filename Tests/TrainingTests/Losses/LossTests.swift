import Autograd
import OrderedCollections
import Safetensors
import Sampling
import Tensors
import TestSupport
import Testing

@testable import Training

/// Values and gradients of the formulas in torch, see `scripts/fixtures/training/make-numerics-fixtures.py`.
@Suite struct LossTests {
  let golden: TensorFile
  let cases: JSONValue

  init() throws {
    golden = try TensorFile(opening: Fixtures.path("training/numerics/losses.safetensors"))
    cases = try #require(golden.metadata["cases"].flatMap { JSONValue(parsing: $0) })
  }

  private func tensor(_ name: String) throws -> Tensor {
    try #require(golden.tensors[name]).tensor()
  }

  private func settings(_ options: JSONValue) throws -> LossSettings {
    func number(_ key: String) -> Double? { options[key].flatMap { Double($0.text) } }
    var settings = LossSettings()
    settings.kind = try LossSettings.kind(named: options["kind"]?.text ?? "")
    settings.huberSchedule = try LossSettings.huberSchedule(named: options["schedule"]?.text ?? "")
    settings.huberC = try #require(number("c"))
    settings.huberScale = try #require(number("scale"))
    settings.minSNRGamma = number("gamma")
    settings.scalesVelocityLikeNoise = options["scaled"] == .bool(true)
    settings.velocityLike = number("like")
    settings.isDebiased = options["debiased"] == .bool(true)
    settings.predictsVelocity = options["velocity"] == .bool(true)
    return settings
  }

  @Test func valuesAndGradientsAreThoseOfTorch() throws {
    let schedule = NoiseSchedule()
    let timesteps = try tensor("timesteps").elements.map { Int($0) }
    for (name, options) in cases.members {
      let settings = try settings(options)
      try settings.check()
      let parameter = Parameter(name, try tensor("prediction"))
      let samples = try Recording().record {
        let loss = settings.loss(
          parameter.variable, target: try tensor("target"), timesteps: timesteps, schedule,
          weights: try tensor("weights").elements,
          mask: options["masked"] == .bool(true) ? try tensor("mask") : nil)
        loss.total.backpropagate()
        #expect(
          loss.total.value.elements == [Float(loss.samples.reduce(0, +) / 3)],
          "the total is the mean of the samples")
        return loss.samples
      }
      let expected = try tensor("\(name).samples")
      // Sums of 120 elements in f32 in torch, and weights from the signal-to-noise ratio in f32.
      expectClose(
        Tensor(expected.shape, samples.map { Float($0) }), expected, tolerance: 3e-6, name)
      expectClose(
        try #require(parameter.gradient), try tensor("\(name).gradient"), tolerance: 3e-6,
        "gradient of \(name)")
    }
  }

  @Test func seedScalesTheGradient() throws {
    let parameter = Parameter("p", Tensor([1, 1, 1, 2], [3, 5]))
    Recording().record {
      LossSettings().loss(
        parameter.variable, target: Tensor(zeros: [1, 1, 1, 2]), timesteps: [0], NoiseSchedule(),
        weights: [1]
      ).total.backpropagate(Tensor(scalar: 0.25))
    }
    #expect(parameter.gradient?.elements == [0.75, 1.25])
  }

  @Test func unknownNamesGetASuggestion() throws {
    let error = #expect(throws: SettingError.self) { try LossSettings.kind(named: "hubber") }
    #expect(error?.description == "'--loss_type': unknown name 'hubber'; did you mean 'huber'?")
    #expect(throws: SettingError.self) {
      var settings = LossSettings()
      settings.scalesVelocityLikeNoise = true
      try settings.check()
    }
  }

  @Test func sampleThatIsNoNumberIsNamed() {
    let prediction = Variable(Tensor([3, 1, 1, 1], [1, .nan, .infinity]))
    let loss = LossSettings().loss(
      prediction, target: Tensor(zeros: [3, 1, 1, 1]), timesteps: [1, 2, 3], NoiseSchedule(),
      weights: [1, 1, 1])
    #expect(loss.firstNonFiniteSample == 1)
  }
}
