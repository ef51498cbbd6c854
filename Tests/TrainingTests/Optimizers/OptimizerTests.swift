import Autograd
import LinearAlgebra
import OrderedCollections
import Safetensors
import Tensors
import TestSupport
import Testing

@testable import Training

@Suite struct OptimizerTests {
  @Test(arguments: GoldenSteps.all) func stepsAreThoseOfTheOriginal(_ golden: GoldenSteps) throws {
    let file = try golden.file()
    let groups = try golden.groups(file)
    var optimizer = try golden.choice().optimizer
    try optimizer.check(rates: groups.map(\.rate))
    var worst = (value: 0.0, movement: 0.0)
    for step in 0..<GoldenSteps.stepCount {
      try golden.setGradients(groups, file, step: step)
      optimizer.step(groups, rates: golden.rates)
      guard GoldenSteps.kept.contains(step + 1) else { continue }
      for parameter in groups.flatMap(\.parameters) {
        let name = "\(golden.name).\(step + 1).\(parameter.name)"
        let expected = try #require(file.tensors[name]).tensor()
        let start = try #require(file.tensors["start.\(parameter.name)"]).tensor()
        let error = relativeError(parameter.value, expected)
        worst.value = max(worst.value, error)
        #expect(error <= golden.tolerance / 4, "\(name)")
        guard step + 1 == GoldenSteps.stepCount else { continue }
        let movement = relativeError(
          parameter.value.adding(start, times: -1), expected.adding(start, times: -1))
        worst.movement = max(worst.movement, movement)
        #expect(movement <= golden.tolerance, "\(name)")
      }
    }
    print(
      "\(golden.name): worst relative error of values \(worst.value), of the way \(worst.movement)")
    if let d = golden.adaptedRate {
      let found = try #require(optimizer.adaptedRate)
      #expect(abs(found / d - 1) < 1e-5)
    }
    optimizer.beginEvaluation(groups)
    for parameter in groups.flatMap(\.parameters) {
      guard let expected = file.tensors["\(golden.name).eval.\(parameter.name)"] else { continue }
      expectClose(
        parameter.value, expected.tensor(), tolerance: 3e-6, "evaluated \(parameter.name)")
    }
  }

  /// Parameters are shared out among threads, which shows in no bit.
  @Test(arguments: GoldenSteps.all) func stepsDoNotDependOnThreads(_ golden: GoldenSteps) throws {
    let file = try golden.file()
    let results = try [1, 3].map { threads -> ([Tensor], OptimizerState) in
      ComputeThreads.set(threads)
      let groups = try golden.groups(file)
      var optimizer = try golden.choice().optimizer
      for step in 0..<3 {
        try golden.setGradients(groups, file, step: step)
        groups.clipGradients(to: 0.5)
        optimizer.step(groups, rates: golden.rates)
      }
      return (groups.flatMap(\.parameters).map(\.value), optimizer.state)
    }
    #expect(results[0].0 == results[1].0)
    #expect(results[0].1 == results[1].1)
  }

  /// 20 steps are 7 steps, a state, and 13 steps, to the bit; an evaluation between them changes nothing.
  @Test(arguments: GoldenSteps.all) func resumedStepsAreTheSameBits(_ golden: GoldenSteps) throws {
    let file = try golden.file()
    let (whole, first) = (try golden.groups(file), try golden.groups(file))
    var (uninterrupted, before) = (
      try golden.choice().optimizer, try golden.choice().optimizer
    )
    for step in 0..<GoldenSteps.stepCount {
      try golden.setGradients(whole, file, step: step)
      uninterrupted.step(whole, rates: golden.rates)
    }
    for step in 0..<7 {
      try golden.setGradients(first, file, step: step)
      before.step(first, rates: golden.rates)
    }
    before.beginEvaluation(first)
    before.endEvaluation(first)
    let second = first.map { group in
      ParameterGroup(
        name: group.name, parameters: group.parameters.map { Parameter($0.name, $0.value) },
        rate: group.rate)
    }
    var after = try golden.choice().optimizer
    try after.restore(before.state, for: second)
    #expect(after.state == before.state)
    for step in 7..<GoldenSteps.stepCount {
      try golden.setGradients(second, file, step: step)
      after.step(second, rates: golden.rates)
    }
    for (a, b) in zip(whole.flatMap(\.parameters), second.flatMap(\.parameters)) {
      #expect(a.value == b.value, "\(a.name)")
    }
    #expect(after.state == uninterrupted.state)
  }

  @Test(arguments: GoldenSteps.all) func statesOfOthersAreRefused(_ golden: GoldenSteps) throws {
    let file = try golden.file()
    let groups = try golden.groups(file)
    var optimizer = try golden.choice().optimizer
    try golden.setGradients(groups, file, step: 0)
    optimizer.step(groups, rates: golden.rates)
    let state = optimizer.state
    var surplus = state
    surplus.tensors["nobody.exp_avg"] = EncodedTensor(Tensor(zeros: [1]), as: .f32)
    #expect(throws: OptimizerStateError.surplus("nobody.exp_avg")) {
      try optimizer.restore(surplus, for: groups)
    }
    for name in state.tensors.keys where !name.hasSuffix(".step") {
      var missing = state
      missing.tensors[name] = nil
      #expect(throws: OptimizerStateError.missing(name)) {
        try optimizer.restore(missing, for: groups)
      }
      var resized = state
      resized.tensors[name] = EncodedTensor(Tensor(zeros: [1_000_003]), as: .f32)
      #expect(throws: OptimizerStateError.self) { try optimizer.restore(resized, for: groups) }
    }
  }

  /// What has no gradient keeps its value and its place in the corrections.
  @Test func parametersWithoutGradientsStay() throws {
    for golden in GoldenSteps.all where !golden.name.contains("8bit") {
      let file = try golden.file()
      let groups = try golden.groups(file)
      var optimizer = try golden.choice().optimizer
      try golden.setGradients(groups, file, step: 0)
      let idle = groups[0].parameters[1]
      let value = idle.value
      idle.gradient = nil
      optimizer.step(groups, rates: golden.rates)
      #expect(idle.value == value, "\(golden.name)")
    }
  }

  /// Logs have the rates that the last step was made with.
  @Test func ratesOfTheLastStep() throws {
    func rates(_ name: String, _ arguments: String...) throws -> [Double] {
      var optimizer = try OptimizerChoice(named: name, arguments: arguments).optimizer
      let parameter = Parameter("a", Tensor([1], [1]))
      let groups = [ParameterGroup(name: "unet", parameters: [parameter], rate: 1)]
      return (0..<6).map { _ in
        parameter.gradient = Tensor([1], [1])
        optimizer.step(groups, rates: [1])
        return optimizer.effectiveRates(groups, rates: [1])[0]
      }
    }
    for name in ["AdamWScheduleFree", "SGDScheduleFree"] {
      #expect(try rates(name, "warmup_steps=4") == [0.25, 0.5, 0.75, 1, 1, 1], "\(name)")
    }
    // RAdam waits for four gradients: its average has two degrees of freedom then.
    let waiting = try rates("RAdamScheduleFree")
    #expect(waiting.prefix(4).allSatisfy { $0 == 0 } && waiting[4] > 0, "\(waiting)")
  }

  @Test func adaptiveOptimizersWantOneRate() throws {
    let groups = [("unet", 1.0), ("unet plus", 16.0)].map {
      ParameterGroup(name: $0, parameters: [], rate: $1)
    }
    for name in ["Prodigy", "DAdaptAdam", "DAdaptLion", "DAdaptSGD"] {
      let optimizer = try OptimizerChoice(named: name).optimizer
      #expect(throws: SettingError.self) { try optimizer.check(rates: groups.map(\.rate)) }
      try optimizer.check(rates: [groups[0].rate, 0])
    }
    try OptimizerChoice(named: "AdamW").optimizer.check(rates: groups.map(\.rate))
  }
}
