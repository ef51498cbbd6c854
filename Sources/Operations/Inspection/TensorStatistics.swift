import Safetensors
import Tensors

/// Numbers about the values of one tensor, or of the tensors of one adapter module together.
package struct TensorStatistics: Codable, Sendable {
  package let name: String
  /// Of a module: `unet`, `te1`, …
  package private(set) var component: String?
  /// Of a module: `down_blocks.1.0`, empty for a layer that lies in no block; see `LayerPlace`.
  package private(set) var block: String?
  /// Of a module, within its block: `attn1.to_q`.
  package private(set) var layer: String?
  package internal(set) var algorithm: String?
  package internal(set) var rank: Int?
  package internal(set) var scale: Float?
  /// Finite ones and others.
  package internal(set) var elements = 0
  /// Mean, largest and root of the sum of squares of the finite magnitudes.
  package internal(set) var absMean = 0.0
  package internal(set) var absMax = 0.0
  package internal(set) var frobenius = 0.0
  package internal(set) var zeros = 0
  package internal(set) var nan = 0
  package internal(set) var infinite = 0
  /// ‖scale · ΔW‖_F of a module; nil where it is not known without the weight.
  package internal(set) var deltaNorm: Double?
  /// ‖W‖_F of the weight that the module changes, where the base is given.
  package internal(set) var weightNorm: Double?
  /// ‖W' − W‖_F / ‖W‖_F, where the base is given.
  package internal(set) var relativeChange: Double?
  /// Of a module; the JSON form has `component`, `block` and `layer` of it.
  package private(set) var place: LayerPlace?

  private enum CodingKeys: CodingKey {
    case name, component, block, layer, algorithm, rank, scale, elements, absMean, absMax, frobenius
    case zeros, nan, infinite, deltaNorm, weightNorm, relativeChange
  }

  package var isFinite: Bool { nan == 0 && infinite == 0 }

  /// - Parameter place: of a module.
  init(name: String, place: LayerPlace? = nil) {
    (self.name, self.place) = (name, place)
    (component, block, layer) = (place?.component, place?.block, place?.layer)
  }

  /// Takes in the values of a tensor as stored; those of F64 in full.
  /// - Precondition: `view.dtype.isConvertible`
  mutating func add(_ view: TensorView) {
    guard view.dtype == .f64 else { return view.forEachPartWidened { add($0) } }
    view.forEachPart { part in
      var sums = ElementSums()
      for i in 0..<part.byteCount / 8 {
        sums.addSlowly(unsafe part.unsafeLoadUnaligned(fromByteOffset: 8 * i, as: Double.self))
      }
      add(sums, count: part.byteCount / 8)
    }
  }

  /// Takes in the values of a tensor.
  /// - Complexity: one pass
  mutating func add(_ tensor: Tensor) {
    var sums = ElementSums()
    sums.add(tensor.elements.span)
    add(sums, count: tensor.count)
  }

  private mutating func add(_ sums: ElementSums, count: Int) {
    let finiteBefore = Double(elements - nan - infinite)
    let square = frobenius * frobenius + sums.squares
    elements += count
    nan += sums.nan
    infinite += sums.infinite
    zeros += sums.zeros
    absMax = max(absMax, sums.largest)
    frobenius = square.squareRoot()
    let finite = Double(elements - nan - infinite)
    absMean = finite > 0 ? (absMean * finiteBefore + sums.magnitudes) / finite : 0
  }
}

/// Sums over elements, eight at a time.
private struct ElementSums {
  var magnitudes = 0.0
  var squares = 0.0
  var largest = 0.0
  var zeros = 0
  var nan = 0
  var infinite = 0

  /// Partial sums in f32 stay exact enough over this many elements per lane.
  private static let block = 4096

  mutating func add(_ elements: Span<Float>) {
    var start = 0
    while start < elements.count {
      let end = min(start + Self.block, elements.count)
      addBlock(elements.extracting(start..<end))
      start = end
    }
  }

  private mutating func addBlock(_ elements: Span<Float>) {
    var (sum, square, most) = (SIMD8<Float>.zero, SIMD8<Float>.zero, SIMD8<Float>.zero)
    var zero = SIMD8<Int32>.zero
    var i = 0
    while i + 8 <= elements.count {
      var lane = SIMD8<Float>()
      for j in 0..<8 { lane[j] = elements[i + j] }
      let magnitude = lane.replacing(with: -lane, where: lane .< 0)
      sum += magnitude
      square += lane * lane
      most = pointwiseMax(most, magnitude)
      zero.replace(with: zero &+ 1, where: lane .== 0)
      i += 8
    }
    let squares = (0..<8).reduce(0.0) { $0 + Double(square[$1]) }
    guard squares.isFinite, most.max().isFinite else { return addSlowly(elements) }
    self.squares += squares
    magnitudes += (0..<8).reduce(0.0) { $0 + Double(sum[$1]) }
    largest = max(largest, Double(most.max()))
    zeros += Int(zero.wrappedSum())
    if i < elements.count { addSlowly(elements.extracting(i..<elements.count)) }
  }

  /// Where some value is not finite, or its square is not in f32.
  private mutating func addSlowly(_ elements: Span<Float>) {
    for i in 0..<elements.count { addSlowly(Double(elements[i])) }
  }

  mutating func addSlowly(_ value: Double) {
    if value.isNaN {
      nan += 1
    } else if value.isInfinite {
      infinite += 1
    } else {
      magnitudes += abs(value)
      squares += value * value
      largest = max(largest, abs(value))
      if value == 0 { zeros += 1 }
    }
  }
}
