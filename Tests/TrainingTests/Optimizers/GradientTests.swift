import Autograd
import Tensors
import Testing

@testable import Training

@Suite struct GradientTests {
  private func groups(_ gradients: [[Float]?]) -> [ParameterGroup] {
    gradients.enumerated().map { index, gradient in
      let parameter = Parameter("p\(index)", Tensor(zeros: [gradient?.count ?? 2]))
      parameter.gradient = gradient.map { Tensor([$0.count], $0) }
      return ParameterGroup(name: "g\(index)", parameters: [parameter], rate: 1)
    }
  }

  @Test func normIsOverAllGroups() {
    let groups = groups([[3], nil, [0, 4]])
    #expect(groups.gradientNorm == 5)
    #expect(groups.clipGradients(to: 0) == 5)
    #expect(groups[0].parameters[0].gradient?.elements == [3])
    #expect(groups.clipGradients(to: 10) == 5)
    #expect(groups[0].parameters[0].gradient?.elements == [3])
    #expect(groups.clipGradients(to: 1) == 5)
    // torch divides by the norm plus 1e-6.
    #expect(abs(groups.gradientNorm - 5 / 5.000001) < 1e-7)
    groups.clearGradients()
    #expect(groups.gradientNorm == 0)
  }

  @Test func firstGradientThatIsNoNumberIsNamed() {
    let groups = groups([[3], [.nan, 1], [.infinity]])
    #expect(groups.firstNonFiniteGradient?.name == "p1")
  }

  @Test func averageFollowsItsParameters() throws {
    let groups = groups([[0, 0]])
    let parameter = groups[0].parameters[0]
    var average = ParameterAverage(decay: 0.75, warmsUp: false)
    var expected: Float = 1
    for value in [1, 5, 9, -3] as [Float] {
      parameter.value = Tensor([2], [value, value])
      average.update(groups)
      if value != 1 { expected = 0.75 * expected + 0.25 * value }
    }
    #expect(average.values["p0"]?.elements == [expected, expected])
    average.beginEvaluation(groups)
    #expect(parameter.value.elements == [expected, expected])
    average.endEvaluation(groups)
    #expect(parameter.value.elements == [-3, -3])
    var resumed = ParameterAverage(decay: 0.75, warmsUp: false)
    try resumed.restore(count: average.count, average.values, for: groups)
    average.update(groups)
    resumed.update(groups)
    #expect(resumed.values == average.values)
  }

  /// (1 + n) / (10 + n) is below the decay at first.
  @Test func averageWarmsUp() {
    let groups = groups([[0, 0]])
    let parameter = groups[0].parameters[0]
    var average = ParameterAverage(decay: 0.999)
    average.update(groups)
    parameter.value = Tensor([2], [11, 11])
    average.update(groups)
    #expect(abs((average.values["p0"]?.elements[0] ?? 0) - 11 * 9 / 11) < 1e-5)
  }
}
