import Tensors
import Testing

@Suite struct ShapeTests {
  @Test func countsElements() {
    #expect(Shape([]).count == 1)
    #expect(Shape([2, 3, 4]).count == 24)
    #expect(Shape([.max, 0, .max]).count == 0)
    #expect(Shape([.max, 2]).count == .max)
  }

  /// Two negative extents would count as many elements as positive ones.
  @Test func trapsAtANegativeExtent() async {
    await #expect(processExitsWith: .failure) { _ = Shape([-1, -4]) }
    await #expect(processExitsWith: .failure) { _ = Tensor([-2, -2], [1, 2, 3, 4]) }
  }
}
