import Autograd
import Tensors
import Testing

@testable import Pipelines

/// When text encoders are asked, and how long they are there.
struct KnownCaptionsTests {
  /// Remembers what it is asked. Makes of a caption the number of its letters, so many times.
  private final class Counter: CaptionEncoder {
    let component: String
    let layers: [Layer] = []
    let width: Int
    private(set) var asked: [[String]] = []

    init(_ component: String, width: Int = 1) { (self.component, self.width) = (component, width) }

    func encode(_ captions: [String]) -> [Variable] {
      asked.append(captions)
      let numbers = captions.flatMap { Array(repeating: Float($0.count), count: width) }
      return [Variable(Tensor([captions.count, width], numbers))]
    }
  }

  @Test func captionsAreEncodedOnceAndTheirEncoderIsGone() throws {
    weak var gone: Counter?
    var told: [Int] = []
    let captions: KnownCaptions
    do {
      let counter = Counter("te1")
      gone = counter
      captions = KnownCaptions([counter])
      try captions.settle(for: ["a", "abc"]) { done, total in
        told.append(10 * done + total)
        return true
      }
      #expect(counter.asked == [["a"], ["abc"]])
    }
    #expect(gone == nil && told == [12, 22])
    #expect(captions.encoded(["abc", "a", "abc"])[0].value.elements == [3, 1, 3])
  }

  /// Of two encoders the one that is not trained is asked once for each caption, the other with every batch.
  @Test func onlyTrainedEncodersAreAskedAgain() throws {
    let (kept, trained) = (Counter("te1"), Counter("te2", width: 2))
    let captions = KnownCaptions([kept, trained])
    captions.train(["te2", "unet"])
    for _ in 0..<2 {
      let encoded = captions.encoded(["ab", "c"])
      #expect(encoded.map(\.shape) == [[2, 1], [2, 2]])
      #expect(encoded[0].value.elements == [2, 1])
      #expect(encoded[1].value.elements == [2, 2, 1, 1])
    }
    try captions.settle(for: ["ab", "c"]) { _, _ in true }
    _ = captions.encoded(["c"])
    #expect(kept.asked == [["ab"], ["c"]])
    #expect(trained.asked == [["ab", "c"], ["ab", "c"], ["c"]])
  }

  /// Interrupted, or with more captions than memory is meant for, encoders stay.
  @Test func encodersStayWhereCaptionsAreNotAllKnown() throws {
    let counter = Counter("te1")
    let captions = KnownCaptions([counter])
    try captions.settle(for: ["a", "b"]) { _, _ in false }
    #expect(captions.encoded(["new"])[0].value.elements == [3])
    // Two of these are more than is kept.
    let large = Counter("te1", width: 3)
    let many = KnownCaptions([large], atMost: 20)
    try many.settle(for: ["a", "b"]) { _, _ in true }
    #expect(large.asked == [["a"], ["b"]])
    #expect(many.encoded(["c"])[0].value.elements[0] == 1)
  }
}
