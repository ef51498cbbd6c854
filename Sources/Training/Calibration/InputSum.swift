import Adapters
import Autograd
import LinearAlgebra
import Tensors

/// The sum of x·xᵀ over places that one input, or several layers with the same one, was read at.
final class InputSum {
  /// What a layer reads at a place.
  struct Form: Equatable {
    /// Numbers of a place: inputs of a linear layer, channels of an image.
    let width: Int
    /// Height and width of the kernel, and how it steps; nil where a place is read alone.
    let patch: Patch?

    struct Patch: Equatable {
      let height, width: Int
      let geometry: ConvolutionGeometry

      var size: Int { height * width }
    }

    /// Places that are read alone.
    init(width: Int) { (self.width, patch) = (width, nil) }

    init(_ layer: Layer) {
      let extents = layer.weightShape.dimensions
      width = extents.count > 1 ? extents[1] : 1
      if case .convolution(let geometry) = layer.operation, extents.count == 4,
        extents[2] * extents[3] > 1 || geometry.stride > 1
      {
        patch = Patch(height: extents[2], width: extents[3], geometry: geometry)
      } else {
        patch = nil
      }
    }

    /// Numbers of a patch up to which its moment is held whole: 21 MB of them.
    private static let largestWhole = 2304

    /// Whether all numbers of a patch have a row of their own.
    var isWhole: Bool { patch.map { width * $0.size <= Self.largestWhole } ?? true }

    /// Order of the sum.
    var order: Int { isWhole ? width * (patch?.size ?? 1) : width }
  }

  let form: Form
  private var sum: SymmetricSum
  private var kernel: [Double]
  private var rows = 0
  /// Samples, and places at which they were read, whether or not these were added.
  private var (samples, places) = (0, 0)
  private let expectedSamples: Int
  /// Where rows are begun to be taken.
  private var phase: Double

  /// - Parameters:
  ///   - samples: that there will be.
  ///   - seed: of the places that are taken.
  init(_ form: Form, samples: Int, seed: UInt64) {
    self.form = form
    expectedSamples = samples
    sum = SymmetricSum(order: form.order)
    kernel =
      form.isWhole
      ? [] : [Double](repeating: 0, count: (form.patch?.size ?? 0) * (form.patch?.size ?? 0))
    var generator = SeededGenerator(seed: seed)
    phase = Double(generator.next() >> 11) * 0x1p-53
  }

  /// How many places of a sample are added: all, where that takes no more than 2²⁷ multiplications, else as many that
  /// there are twice as many in all as the sum has rows, and 4096 at least.
  private func count(of available: Int) -> Int {
    let order = form.order
    let needed = max(2 * order, 4096) / max(expectedSamples, 1) + 1
    return min(available, max(needed, (1 << 27) / max(order * order, 1)))
  }

  /// Adds what a layer reads: `[…, width]`, of an image `[batch, height, width, channels]`.
  func add(_ x: Tensor) {
    let batch = x.shape.dimensions.count > 1 ? x.shape.rows : 1
    let grid = form.patch.map { PatchGrid(x.shape, $0) }
    let available = grid?.count ?? x.count / max(form.width, 1)
    samples += batch
    places += available
    let taken = chosen(count(of: available / max(batch, 1)) * batch, of: available)
    guard let grid else {
      sum.add(x.rows(taken, width: form.width))
      rows += taken.count
      return
    }
    let patches = grid.patches(of: x, at: taken)
    rows += taken.count
    if form.isWhole {
      // Channels before places, as in a weight.
      sum.add(patches.transposed().reshaped([taken.count, form.order]))
    } else {
      // The channels of the place in the middle, and how places go together.
      sum.add(
        patches.rows(grid.middle..<grid.middle + 1).reshaped([taken.count, form.width]))
      let products = patches.matmulTransposed(patches)
      for index in kernel.indices { kernel[index] += Double(products.elements[index]) }
    }
  }

  /// Places that lie apart from one another as far as they can, so that no column of an image is preferred.
  private func chosen(_ count: Int, of available: Int) -> [Int] {
    guard count < available else { return Array(0..<available) }
    defer { phase = (phase + .goldenRatio * Double(count)).truncatingRemainder(dividingBy: 1) }
    return (0..<count).map { index in
      let share = (phase + .goldenRatio * Double(index)).truncatingRemainder(dividingBy: 1)
      return min(Int(share * Double(available)), available - 1)
    }
  }

  private var finished: LayerMoments?

  /// The moments of all that was added, in the place of which they stand from then on; nil where that is nothing.
  func moments() -> LayerMoments? {
    if let finished { return finished }
    guard rows > 0 else { return nil }
    let inputs = sum.whole(times: 1 / Float(rows))
    sum = SymmetricSum(order: 0)
    let mean = Double(places) / Double(samples)
    let order = inputs.shape.rows
    var moment: Tensor?
    if !form.isWhole, let size = form.patch?.size {
      // Relative to the middle place: patches at an edge hold less.
      let power = (0..<order).reduce(0.0) { $0 + Double(inputs.elements[$1 * order + $1]) }
      moment = Tensor(
        [size, size], kernel.map { power > 0 ? Float($0 / Double(rows) / power) : 0 })
    }
    finished = LayerMoments(inputs: inputs, kernel: moment, places: mean)
    return finished
  }
}

extension Double {
  /// The lesser one, (√5 − 1) / 2: of its first multiples the fractions lie evenly in 0…1, however many there are.
  static let goldenRatio = 0.618_033_988_749_894_9
}
