/// Which images are held out: sd-scripts' counts, drawn by the seed alone, so that every run with the same
/// files holds out the same images.
struct ValidationSplit {
  private let share: Double
  private let seed: UInt64

  /// - Parameter seed: of the dataset, else of the run
  init(_ share: Double, seed: UInt64) {
    self.share = share
    self.seed = seed
  }

  /// Positions that are trained and those that are held out, each ascending.
  func divided(_ count: Int, subset: Int) -> (training: [Int], validation: [Int]) {
    let held = Int((Double(count) * share).rounded(.toNearestOrEven))
    guard share > 0, held > 0 else { return (Array(0..<count), []) }
    var order = Array(0..<count)
    var generator = CounterGenerator(
      seed: seed, epoch: 0, sample: subset, purpose: .validationSplit)
    for i in order.indices.dropFirst().reversed() {
      order.swapAt(i, generator.integer(below: i + 1))
    }
    return (order.dropLast(held).sorted(), order.suffix(held).sorted())
  }
}
