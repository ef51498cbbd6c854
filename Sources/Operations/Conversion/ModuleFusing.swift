import Adapters
import Checkpoints
import LinearAlgebra
import Safetensors
import SystemPackage
import Tensors

/// Modules of the parts of a weight made into one of the whole weight.
///
/// What the parts share stands once and their rows one above the other, where they share all but rows;
/// else downs are stacked and ups stand along a diagonal, which is exact and takes the sum of the ranks.
/// Parts that no module changes get rows of zeros.
///
/// Sources: sd-scripts `networks/convert_flux_lora.py`, `convert_to_sd_scripts_cat`; musubi-tuner
/// `networks/convert_hunyuan_video_1_5_lora_to_comfy.py`.
struct ModuleFusing {
  private let name: String
  private let shares: [Int]
  /// By the part; nil where there is none.
  private let parts: [AdapterModule?]

  /// - Parameter parts: as many as shares, at least one of them there.
  init(_ parts: [AdapterModule?], shares: [Int], name: String) {
    self.parts = parts
    self.shares = shares
    self.name = name
  }

  private var present: [AdapterModule] { parts.compactMap { $0 } }

  /// - Throws: `NoPlace` if there is no such module.
  func fused() throws(NoPlace) -> AdapterModule {
    if let module = try sharing(parts) { return module }
    var lowRank: [AdapterModule?] = []
    for part in parts {
      guard let part else {
        lowRank.append(nil)
        continue
      }
      lowRank.append(
        part.algorithm == LoRA.self && part.views[LoRA.mid] == nil ? part : try part.asLowRank())
    }
    if let module = try sharing(lowRank) { return module }
    return try diagonal(lowRank)
  }

  /// How many rows each part has, from those that are there.
  private func rows(_ factors: [RowFactors?]) throws(NoPlace) -> [Int] {
    let units = zip(factors, shares).compactMap { factors, share in
      factors.map { $0.count % share == 0 ? $0.count / share : 0 }
    }
    guard let unit = units.first, unit > 0, units.allSatisfy({ $0 == unit }) else {
      throw NoPlace("the parts have no common measure of rows")
    }
    return shares.map { $0 * unit }
  }

  /// The parts whose rows alone differ, one above the other; nil if more differs.
  private func sharing(_ parts: [AdapterModule?]) throws(NoPlace) -> AdapterModule? {
    var factors: [RowFactors?] = []
    for part in parts {
      // What is not made of rows may still be LoRA.
      guard let part else {
        factors.append(nil)
        continue
      }
      guard let rows = try? RowFactors(of: part) else { return nil }
      factors.append(rows)
    }
    let present = factors.compactMap { $0 }
    let first = present[0]
    guard present.allSatisfy({ $0.sharesAllButRows(with: first) }) else { return nil }
    let counts = try rows(factors)
    var start = 0
    for count in counts {
      guard first.isBoundary(start) else { return nil }
      start += count
    }
    guard !parts.contains(where: { $0 == nil }) || first.module.isZero(whereZero: first.steps.keys)
    else { return nil }
    var views = first.module.views
    let suffixes = Set(present.flatMap { $0.steps.keys })
    for suffix in suffixes {
      let step = first.steps[suffix] ?? 1
      views[suffix] = .stacked(
        factors.map { $0?.module.views[suffix] }, rows: counts.map { $0 / step })
    }
    return first.module.replacing(views).renamed(name)
  }

  /// LoRAs of different downs: ups along a diagonal.
  private func diagonal(_ parts: [AdapterModule?]) throws(NoPlace) -> AdapterModule {
    var factors: [RowFactors?] = []
    for part in parts {
      factors.append(try part.map { part throws(NoPlace) in try RowFactors(of: part) })
    }
    let counts = try rows(factors)
    let present = parts.compactMap { $0 }
    let first = present[0]
    guard present.allSatisfy({ $0.algorithm == LoRA.self && $0.views[LoRA.mid] == nil }) else {
      throw NoPlace("the parts are of different algorithms")
    }
    let magnitudes = present.filter { $0.magnitude != nil }.count
    guard magnitudes == 0 || magnitudes == parts.count,
      Set(present.map { $0.magnitude?.suffix }).count == 1
    else { throw NoPlace("some of the parts have DoRA and others not") }
    let scaled = BalancedScales(parts)
    let ranks = scaled.parts.map { $0?.views[LoRA.down]?.shape.rows ?? 0 }
    let rank = ranks.reduce(0, +)
    var views: [String: TensorView] = [:]
    views[LoRA.down] = .stacked(scaled.parts.map { $0?.views[LoRA.down] }, rows: ranks)
    views[LoRA.up] = try .diagonal(
      scaled.parts.map { $0?.views[LoRA.up] }, rows: counts, columns: ranks)
    for suffix in biasSuffixes.union(WeightDecomposition<Tensor>.suffixes.map(\.name))
    where present.contains(where: { $0.views[suffix] != nil }) {
      views[suffix] = .stacked(scaled.parts.map { $0?.views[suffix] }, rows: counts)
    }
    let fused = AdapterModule(
      name: name, algorithm: LoRA.self, views: views, alpha: scaled.reference?.alpha,
      alphaView: scaled.reference?.alphaView, file: first.file)
    return fused.withAlpha(scaled.perRank.map { Float($0 * Double(rank)) })
  }
}

/// Modules of LoRA at one scale.
private struct BalancedScales {
  let parts: [AdapterModule?]
  /// alpha for each rank, the same in all parts; nil if none has an alpha.
  let perRank: Double?
  /// The part whose alpha's format the common one takes.
  let reference: AdapterModule?

  /// Leaves the parts as they are where their scales agree; else multiplies each scale into up, in f32.
  init(_ parts: [AdapterModule?]) {
    let present = parts.compactMap { $0 }
    reference = present.first { $0.alphaView != nil } ?? present.first { $0.alpha != nil }
    let numbers = present.map { part in
      (alpha: Double(part.alpha ?? Float(part.rank ?? 1)), rank: Double(part.rank ?? 1))
    }
    let first = numbers[0]
    let others = [scalarSuffix.name, fixedScaleSuffix.name]
    if numbers.allSatisfy({ $0.alpha * first.rank == first.alpha * $0.rank }),
      present.allSatisfy({ part in others.allSatisfy { part.views[$0] == nil } })
    {
      self.parts = parts
      perRank = reference == nil ? nil : first.alpha / first.rank
    } else {
      var losses = ConversionLosses()
      self.parts = parts.map { $0?.foldingScale(in: .f32, losses: &losses) }
      perRank = 1
    }
  }
}

extension RowFactors {
  /// Whether two modules are equal but for the rows of their weights.
  fileprivate func sharesAllButRows(with other: RowFactors) -> Bool {
    guard module.algorithm == other.module.algorithm, module.alpha == other.module.alpha,
      module.scale == other.module.scale,
      module.alphaView?.dtype == other.module.alphaView?.dtype,
      steps.filter({ !biasSuffixes.contains($0.key) })
        == other.steps.filter({ !biasSuffixes.contains($0.key) })
    else { return false }
    let shared = { (views: [String: TensorView], steps: [String: Int]) in
      views.filter { steps[$0.key] == nil }
    }
    let (own, others) = (shared(module.views, steps), shared(other.module.views, other.steps))
    let areEqual =
      own.count == others.count
      && own.allSatisfy { suffix, view in
        others[suffix].map { view.hasSameContents(as: $0) } ?? false
      }
    // Rows of different widths cannot stand one above the other.
    return areEqual
      && steps.keys.allSatisfy { suffix in
        guard let a = module.views[suffix], let b = other.module.views[suffix] else { return true }
        return a.shape.count * other.count == b.shape.count * count
          && a.shape.dimensions.count == b.shape.dimensions.count
      }
  }
}

extension AdapterModule {
  /// Whether rows change nothing where these factors are zero.
  fileprivate func isZero(whereZero suffixes: some Collection<String>) -> Bool {
    magnitude == nil && algorithm != Replacement.self
      && (suffixes.allSatisfy(biasSuffixes.contains)
        || algorithm.hasNoEffect(whereZero: Set(suffixes)))
  }
}

extension TensorView {
  /// Blocks along a diagonal, zeros elsewhere; rows of zeros where a block is missing. Blocks of
  /// different formats become f32.
  fileprivate static func diagonal(
    _ blocks: [TensorView?], rows: [Int], columns: [Int]
  ) throws(NoPlace) -> TensorView {
    let present = blocks.compactMap { $0 }
    let first = present[0]
    guard present.allSatisfy({ $0.shape.dimensions.count == first.shape.dimensions.count }) else {
      throw NoPlace("the parts are of different kinds of layers")
    }
    guard present.allSatisfy({ $0.dtype == first.dtype }) else {
      return try diagonal(blocks.map { $0?.widened }, rows: rows, columns: columns)
    }
    let width = first.dtype.bitsPerElement / 8
    let stride = columns.reduce(0, +) * width
    var bytes = [UInt8](repeating: 0, count: rows.reduce(0, +) * stride)
    var (row, column) = (0, 0)
    for ((block, height), extent) in zip(zip(blocks, rows), columns) {
      if let block {
        for line in 0..<height {
          let source = block.bytes.extracting(line * extent * width..<(line + 1) * extent * width)
          let start = (row + line) * stride + column * width
          bytes.replaceSubrange(start..<start + extent * width, with: [UInt8](copying: source))
        }
      }
      row += height
      column += extent
    }
    var dimensions = first.shape.dimensions
    dimensions[0] = row
    dimensions[1] = column
    return TensorView(
      first.name, EncodedTensor(first.dtype, Shape(dimensions), bytes), from: first.file)
  }
}
