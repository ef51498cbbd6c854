import Adapters
package import Checkpoints
import LinearAlgebra
import Safetensors
import Tensors

/// DyLoRA: an adapter that was trained to be cut at any multiple of its unit.
extension AdapterReshaping {
  /// The ranks to which an adapter can be cut: every multiple of `unit` below its rank, and that.
  ///
  /// Source: sd-scripts `networks/extract_lora_from_dylora.py`.
  /// - Throws: `AdapterConversionError.notDynamic`, `.sliceUnit` for one above the rank
  package static func slices(
    of modules: [AdapterModule], unit: Int
  ) throws(AdapterConversionError) -> [Int] {
    let rank = modules.filter { $0.algorithm == LoRA.self }.compactMap(\.rank).max() ?? 0
    guard rank > 0, unit > 0 else { throw .notDynamic(modules[0].file) }
    guard unit <= rank else { throw .sliceUnit(modules[0].file, unit: unit, rank: rank) }
    let ranks = Array(stride(from: unit, through: rank, by: unit))
    return ranks.last == rank ? ranks : ranks + [rank]
  }

  /// The first `rank` columns of up and rows of down of every module, to the bit, and its alpha as it was.
  func sliced(
    _ modules: [AdapterModule], toRank rank: Int
  ) throws(AdapterConversionError) -> [AdapterModule] {
    var result: [AdapterModule] = []
    for module in modules {
      guard module.algorithm == LoRA.self, let whole = module.rank, rank < whole else {
        result.append(module)
        continue
      }
      guard module.views[LoRA.mid] == nil, let up = module.views[LoRA.up],
        let down = module.views[LoRA.down]
      else { throw .notDynamic(module.file) }
      var views = module.views
      views[LoRA.up] = up.columns(0..<rank)
      views[LoRA.down] = down.rows(0..<rank, of: whole)
      result.append(module.replacing(views))
    }
    return result
  }
}
