import Adapters
import Checkpoints
import Safetensors
import Tensors

/// A module of a fused weight cut into modules of its parts, each exactly the rows that it has.
///
/// Sources: sd-scripts `networks/convert_flux_lora.py`, `convert_to_ai_toolkit_cat`.
struct ModuleSplitting {
  private let factors: RowFactors
  private let ranges: [Range<Int>]

  /// - Parameter shares: rows of the parts relative to one another.
  /// - Throws: `NoPlace` if the module is not made of rows, or its rows do not divide so.
  init(_ module: AdapterModule, shares: [Int]) throws(NoPlace) {
    if let rows = try? RowFactors(of: module) {
      factors = rows
    } else {
      guard module.algorithm != LoRA.self else {
        _ = try RowFactors(of: module)
        preconditionFailure("rows of '\(module.name)'")
      }
      factors = try RowFactors(of: module.asLowRank())
    }
    ranges = try Self.ranges(of: factors.count, shares)
  }

  private static func ranges(of count: Int, _ shares: [Int]) throws(NoPlace) -> [Range<Int>] {
    let total = shares.reduce(0, +)
    guard count > 0, count % total == 0 else {
      throw NoPlace("its \(count) rows are not a multiple of \(total)")
    }
    var start = 0
    return shares.map { share in
      defer { start += share * count / total }
      return start..<start + share * count / total
    }
  }

  /// The parts in their order; nil for one that the module leaves as it is.
  /// - Throws: `NoPlace` if a part would cut a factor's row, and cannot be LoRA.
  func parts() throws(NoPlace) -> [AdapterModule?] {
    let module = factors.module
    guard let up = module.views[LoRA.up], let down = module.views[LoRA.down],
      module.views[LoRA.mid] == nil, let blocks = BlockColumns(of: up, ranges),
      // DoRA changes rows that a product leaves alone.
      module.magnitude == nil || !blocks.columns.contains(where: { $0 == nil })
    else {
      var parts: [AdapterModule?] = []
      for range in ranges { parts.append(try part(range)) }
      return parts
    }
    let rank = down.shape.rows
    return zip(ranges, blocks.columns).map { range, columns in
      guard let columns else {
        // Nothing but a change of the bias may be left.
        let biases = module.views.filter { biasSuffixes.contains($0.key) }
        guard !biases.isEmpty else { return nil }
        return (try? RowFactors(of: biasModule(biases)))?.rows(range)
      }
      var part = factors.rows(range)
      if columns.count < rank, let whole = part {
        var views = whole.views
        views[LoRA.up] = views[LoRA.up]?.columns(columns)
        views[LoRA.down] = down.rows(columns, of: rank)
        part = whole.replacing(views).withAlpha(
          whole.alpha.map { $0 * Float(columns.count) / Float(rank) })
      }
      return part
    }
  }

  /// The module of some rows: of the factors' own, or as LoRA of those that they lie in.
  private func part(_ range: Range<Int>) throws(NoPlace) -> AdapterModule {
    if let part = factors.rows(range) { return part }
    let cover = factors.cover(of: range)
    guard let around = factors.rows(cover) else { throw NoPlace("its rows do not divide so") }
    let rows = try RowFactors(of: around.asLowRank())
    let start = range.lowerBound - cover.lowerBound
    guard let part = rows.rows(start..<start + range.count) else {
      throw NoPlace("its rows do not divide so")
    }
    return part
  }

  /// The module with the halves of its rows exchanged.
  /// - Throws: `NoPlace` if that cuts a factor's row, and it cannot be LoRA.
  func swappingHalves() throws(NoPlace) -> AdapterModule {
    if let swapped = factors.swappingHalves() { return swapped }
    guard let swapped = try RowFactors(of: factors.module.asLowRank()).swappingHalves() else {
      throw NoPlace("its \(factors.count) rows have no halves")
    }
    return swapped
  }

  private func biasModule(_ biases: [String: TensorView]) -> AdapterModule {
    AdapterModule(
      name: factors.module.name, algorithm: Full.self, views: biases, alpha: nil,
      file: factors.module.file)
  }
}

/// The columns of a block-diagonal matrix that belong to each range of rows, as fusing several
/// LoRAs makes it.
struct BlockColumns {
  /// By range of rows, contiguous and in order; nil where all are zero.
  let columns: [Range<Int>?]

  /// nil if the matrix has no such blocks, or is zero.
  init?(of matrix: TensorView, _ ranges: [Range<Int>]) {
    let shape = matrix.shape.asMatrix
    let supports = ranges.map { matrix.nonzeroColumns(inRows: $0, of: shape) }
    let present = supports.indices.filter { supports[$0] != nil }
    guard !present.isEmpty, present.count > 1 || ranges.count > 1 else { return nil }
    guard let blocks = Self.blocks(present.compactMap { supports[$0] }, rank: shape.columns)
    else { return nil }
    var columns = [Range<Int>?](repeating: nil, count: ranges.count)
    for (index, block) in zip(present, blocks) { columns[index] = block }
    self.columns = columns
  }

  /// Blocks of equal width if the nonzero columns allow it, else each from its first nonzero column on.
  private static func blocks(_ supports: [ClosedRange<Int>], rank: Int) -> [Range<Int>]? {
    let count = supports.count
    if rank % count == 0 {
      let width = rank / count
      let equal = (0..<count).map { $0 * width..<($0 + 1) * width }
      if zip(equal, supports).allSatisfy({
        $0.contains($1.lowerBound) && $0.contains($1.upperBound)
      }) {
        return equal
      }
    }
    let starts = [0] + supports.dropFirst().map(\.lowerBound) + [rank]
    let blocks = supports.indices.compactMap { index in
      starts[index] <= supports[index].lowerBound && supports[index].upperBound < starts[index + 1]
        ? starts[index]..<starts[index + 1] : nil
    }
    return blocks.count == count ? blocks : nil
  }
}

extension TensorView {
  /// From the first to the last column of some rows that holds anything but zero bits; nil if none does.
  fileprivate func nonzeroColumns(inRows rows: Range<Int>, of matrix: Shape) -> ClosedRange<Int>? {
    let width = dtype.bitsPerElement / 8
    let stride = matrix.columns * width
    return bytes.extracting(rows.lowerBound * stride..<rows.upperBound * stride)
      .nonzeroPlaces(inRowsOf: stride).map { $0.lowerBound / width...$0.upperBound / width }
  }
}

extension RawSpan {
  /// The least and the greatest place within rows of that many bytes where any row has a byte that is
  /// not zero.
  fileprivate func nonzeroPlaces(inRowsOf stride: Int) -> ClosedRange<Int>? {
    unsafe withUnsafeBytes { bytes in
      var (first, last) = (stride, -1)
      for start in Swift.stride(from: 0, to: bytes.count, by: stride) {
        var place = 0
        while place < first, unsafe bytes[start + place] == 0 { place += 1 }
        first = min(first, place)
        place = stride - 1
        while place > last, unsafe bytes[start + place] == 0 { place -= 1 }
        last = max(last, place)
      }
      return last < 0 ? nil : first...last
    }
  }
}
