import Autograd
import Checkpoints
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
      /// The place in the middle.
      var middle: Int { height / 2 * width + width / 2 }
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
  private let sum: SymmetricSum
  /// Rows that wait to be added: few at a time would read and write the sum more often than they add to it.
  private var waiting: [Float] = []
  private var kernel: [Double]
  private var rows = 0
  /// Samples, and places at which they were read, whether or not these were added.
  private var (samples, places) = (0, 0)
  private let expectedSamples: Int
  /// Where rows are begun to be taken.
  private var phase: Double

  /// Whether nothing but zeros was added.
  private var isZero = true

  /// - Parameters:
  ///   - samples: that there will be.
  ///   - seed: of the places that are taken.
  init(_ form: Form, samples: Int, seed: UInt64, in memory: MomentMemory) {
    self.form = form
    expectedSamples = samples
    sum = memory.sum(ofOrder: form.order)
    kernel =
      form.isWhole
      ? [] : [Double](repeating: 0, count: (form.patch?.size ?? 0) * (form.patch?.size ?? 0))
    var generator = SeededGenerator(seed: seed)
    phase = Double(generator.next() >> 11) * 0x1p-53
  }

  /// Rows that are added at a time at least, but for the last.
  private static let rowsAtOnce = 256

  /// How many places of a sample are added: so many that there are as many in all as the sum has rows, 4096 at least, and
  /// more where all together take no more than 2³¹ multiplications.
  ///
  /// What factors of rank r lose by r of p places being fitted rather than all is about r / p of their squared error.
  private func count(of available: Int) -> Int {
    let order = form.order
    let needed = max(order, 4096, (1 << 31) / max(order * order, 1))
    return min(available, (needed - 1) / max(expectedSamples, 1) + 1)
  }

  private func append(_ taken: Tensor) {
    isZero = isZero && taken.elements.allSatisfy { $0 == 0 }
    rows += taken.shape.rows
    waiting += taken.elements
  }

  /// Whether enough rows wait to be added.
  var isFull: Bool { waiting.count >= Self.rowsAtOnce * form.order }

  /// Adds what waits. Several sums may do so at a time.
  func flush() {
    guard !waiting.isEmpty else { return }
    sum.add(Tensor([waiting.count / form.order, form.order], waiting))
    waiting = []
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
      return append(x.rows(taken, width: form.width))
    }
    let patches = grid.patches(of: x, at: taken)
    if form.isWhole {
      // Channels before places, as in a weight.
      append(patches.transposed().reshaped([taken.count, form.order]))
    } else {
      // The channels of the place in the middle, and how places go together.
      append(
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

  /// E[x·xᵀ] over all places that were added, made when it is asked for; nil where there were none.
  func moment() -> GatheredMoments.Moment? {
    flush()
    guard rows > 0 else { return nil }
    let (sum, factor) = (sum, 1 / Float(rows))
    return GatheredMoments.Moment(order: form.order) { sum.whole(times: factor) }
  }

  /// Moments of what was read; nil where nothing was, or nothing but zeros, of which no moment says what counts.
  func moments(gradients: GatheredMoments.Moment?) -> GatheredMoments? {
    guard !isZero, let inputs = moment() else { return nil }
    var kernelMoment: Tensor?
    if !form.isWhole, let size = form.patch?.size {
      // Relative to the middle place: patches at an edge hold less.
      let power = kernel[(size + 1) * (form.patch?.middle ?? 0)]
      kernelMoment = Tensor([size, size], kernel.map { power > 0 ? Float($0 / power) : 0 })
    }
    return GatheredMoments(
      inputs: inputs, kernel: kernelMoment, gradients: gradients,
      places: Double(places) / Double(samples))
  }
}

extension Double {
  /// The lesser one, (√5 − 1) / 2: of its first multiples the fractions lie evenly in 0…1, however many there are.
  static let goldenRatio = 0.618_033_988_749_894_9
}
