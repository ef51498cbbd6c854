import ModelFamilies
import SystemPackage

extension BlockRows {
  /// That blocks are numbered without a gap, and that each has the layers of the others: how many there are nothing but
  /// their numbers tells.
  /// - Parameters:
  ///   - modules: of the denoiser.
  ///   - mayEnd: whether a layer, by its path within a block, may be missing from some block on.
  /// - Throws: `ModelLoadingError.missingBlock`, `.missingLayer`
  func requireWhole(
    _ modules: [FamilyModule], in file: FilePath, mayEnd: (String) -> Bool = { _ in false }
  ) throws(ModelLoadingError) {
    /// By row and number, keys by the path within the block.
    var blocks: [Int: [Int: [String: String]]] = [:]
    for module in modules {
      guard let place = place(of: module.graphPath) else { continue }
      let path = module.graphPath.split(separator: ".").dropFirst(2).joined(separator: ".")
      blocks[place.row, default: [:]][place.number, default: [:]][path] = module.weight.key
      if let bias = module.bias {
        blocks[place.row, default: [:]][place.number, default: [:]][path + " bias"] = bias.key
      }
    }
    for (_, row) in blocks.sorted(by: { $0.key < $1.key }) {
      let last = row.keys.max() ?? 0
      func key(_ key: String, of block: Int, in other: Int) -> String {
        key.replacingFirst(".\(other).", with: ".\(block).")
      }
      let known = row.sorted { $0.key < $1.key }
      if let missing = (0...last).first(where: { row[$0] == nil }), let some = known.first,
        let example = some.value.values.min()
      {
        let name = key(example, of: missing, in: some.key).prefix(throughFirst: ".\(missing).")
        throw .missingBlock(file, block: name, found: row.count, last: last)
      }
      var holders: [String: (first: Int, last: Int, key: String)] = [:]
      for (number, layers) in known {
        for (path, key) in layers {
          holders[path] = (holders[path]?.first ?? number, number, holders[path]?.key ?? key)
        }
      }
      for (path, holder) in holders.sorted(by: { $0.key < $1.key }) {
        guard let missing = (0...last).first(where: { row[$0]?[path] == nil }),
          !(mayEnd(path) && holder.last < missing)
        else { continue }
        throw .missingLayer(file, tensor: key(holder.key, of: missing, in: holder.first))
      }
    }
  }
}

extension String {
  fileprivate func replacingFirst(_ part: String, with other: String) -> String {
    guard let range = firstRange(of: part) else { return self }
    return self[..<range.lowerBound] + other + self[range.upperBound...]
  }

  /// To the end of the first such part, without its last character.
  fileprivate func prefix(throughFirst part: String) -> String {
    firstRange(of: part).map { String(self[..<index(before: $0.upperBound)]) } ?? self
  }
}
