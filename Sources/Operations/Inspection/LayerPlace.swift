package import ModelFamilies

/// Where in a model a module lies, for tables and pictures by block and layer; read from names alone.
package struct LayerPlace: Hashable, Sendable {
  /// `unet`, `te1`, …; `model` if the name does not say.
  package let component: String
  /// Words and numbers on the way to the block: `down_blocks 1 attentions 0 transformer_blocks 0`; empty for a layer
  /// that lies in none.
  package let blockWords: [String]
  /// Within the block: `attn1.to_q`, `attn1_to_q` as kohya spells it.
  package let layer: String

  /// `down_blocks.1.attentions.0.transformer_blocks.0`
  package var block: String { blockWords.joined(separator: ".") }

  /// The places of modules, in their order.
  ///
  /// A number names a block if several layers stand behind it, or if the same layer stands behind another number in its
  /// place; `to_out.0` and `ff.net.2` are layers. The innermost block counts.
  /// - Parameter family: whose names tell the component where they do not say it themselves.
  /// - Complexity: O(n) for n modules
  package static func places(of names: [String], in family: FamilyNames?) -> [LayerPlace] {
    let ways = names.map { Way($0, in: family) }
    var counts: [Way.Block: Int] = [:]
    var numbers: [Way.Slot: Set<String>] = [:]
    for way in ways {
      for end in way.ends {
        counts[way.block(end), default: 0] += 1
        numbers[way.slot(end), default: []].insert(way.words[end])
      }
    }
    return ways.map { way in
      let end = way.ends.last {
        counts[way.block($0), default: 0] > 1 || numbers[way.slot($0), default: []].count > 1
      }
      return LayerPlace(
        component: way.component, blockWords: end.map { Array(way.words[...$0]) } ?? [],
        layer: way.words[(end.map { $0 + 1 } ?? 0)...].joined(separator: "."))
    }
  }

  /// A name, taken apart.
  private struct Way {
    /// All words up to a number.
    struct Block: Hashable { let component: String, words: ArraySlice<String> }
    /// What stands around a number.
    struct Slot: Hashable {
      let component: String, before: ArraySlice<String>, behind: ArraySlice<String>
    }

    let component: String
    let words: [String]
    /// Where numbers stand that something follows.
    let ends: [Int]

    init(_ name: String, in family: FamilyNames?) {
      component = AdapterPlace(name, in: family).component
      let path = AdapterPlace.path(of: name)
      words =
        path.contains(".")
        ? path.split(separator: ".").map(String.init) : Self.words(underscored: path)
      let words = words
      ends = words.indices.dropLast().filter { words[$0].allSatisfy(\.isNumber) }
    }

    func block(_ end: Int) -> Block { Block(component: component, words: words[...end]) }

    func slot(_ end: Int) -> Slot {
      Slot(component: component, before: words[..<end], behind: words[(end + 1)...])
    }

    /// `down_blocks_1_proj_in` as `down_blocks 1 proj_in`.
    private static func words(underscored path: Substring) -> [String] {
      var words: [String] = []
      var isAfterWord = false
      for part in path.split(separator: "_") {
        let isNumber = part.allSatisfy(\.isNumber)
        if !isNumber, isAfterWord {
          words[words.count - 1] += "_" + part
        } else {
          words.append(String(part))
        }
        isAfterWord = !isNumber
      }
      return words
    }
  }
}
