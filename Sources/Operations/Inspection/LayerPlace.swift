package import ModelFamilies

/// Where in a model a layer lies, for tables and pictures by block and layer; read from names alone.
///
/// A number in a name, with something behind it, is one of a part of the model if several layers stand behind it, or the
/// same layer behind another number in its place; `to_out.0` and `ff.net.0.proj` are layers. The innermost part counts for
/// the layer's name: `attn1.to_q`. Its block is the innermost part that has others beside it which are alike, which share
/// a layer's name, and which have most of the layers there: transformer blocks, attentions and resnets are, the only
/// transformer block of an attention and the experts of one layer are not. Parts of one number lie in one block:
/// `down_blocks.1.attentions.0.proj_in` and `down_blocks.1.resnets.0.conv1` in block `down_blocks.1.0`, as kohya's lists of
/// block weights have it.
package struct LayerPlace: Hashable, Sendable {
  /// `unet`, `te1`, …; `model` if the name does not say.
  package let component: String
  /// What stands before the block's numbers: `down_blocks`, `text_model.encoder.layers`; empty for a layer that lies in
  /// no block.
  package let group: String
  /// `1`, `0`, `3` of `down_blocks.1.attentions.0.transformer_blocks.3`; none of a layer that lies in no block.
  package let numbers: [String]
  /// Within the block: `attn1.to_q`, `attn1_to_q` as kohya spells it; the whole name of a layer in no block.
  package let layer: String

  /// Whether it lies in a block.
  package var isInBlock: Bool { !numbers.isEmpty }

  /// `down_blocks.1.0.3`; empty for a layer that lies in none.
  package var block: String { Self.block(group, numbers[...]) }

  /// `down_blocks.1`: the block that holds it; `others` for a layer that lies in none.
  package var outermostBlock: String {
    isInBlock ? Self.block(group, numbers.prefix(1)) : "others"
  }

  /// The places of an adapter's modules, in their order.
  /// - Parameter family: whose names tell the component where they do not say it themselves.
  /// - Complexity: O(n) for n modules
  package static func places(of names: [String], in family: FamilyNames?) -> [LayerPlace] {
    places(
      of: names.map {
        (AdapterPlace.component(of: $0, in: family), String(AdapterPlace.path(of: $0)))
      })
  }

  /// The places of a model's layers, in their order.
  /// - Parameter layers: the path dotted, or with underscores in place of the dots.
  /// - Complexity: O(n) for n layers
  package static func places(of layers: [(component: String, path: String)]) -> [LayerPlace] {
    var places = [LayerPlace?](repeating: nil, count: layers.count)
    for (component, members) in Dictionary(grouping: layers.indices, by: { layers[$0].component }) {
      let found = LayerTree(members.map { layers[$0].path }).places(in: component)
      for (index, place) in zip(members, found) { places[index] = place }
    }
    return places.compactMap { $0 }
  }

  /// In the order of a model: by numbers, the layers of a block itself before those of blocks within.
  package static func areInOrder(_ a: [String], _ b: [String]) -> Bool {
    for (x, y) in zip(a, b) where x != y {
      if let m = Int(x), let n = Int(y), m != n { return m < n }
      return x < y
    }
    return a.count < b.count
  }

  /// The block of some numbers: `down_blocks.1.0`.
  package static func block(_ group: String, _ numbers: ArraySlice<String>) -> String {
    let words = group.isEmpty ? [] : [group]
    return (words + Array(numbers)).joined(separator: ".")
  }
}
