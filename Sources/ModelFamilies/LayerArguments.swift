/// What a trainer's module of `--network_args` says of the layers of one family, beside what all modules do.
///
/// Source: sd-scripts `networks/lora_flux.py`, `networks/lora_sd3.py`. Names of layers are chosen by regular expressions
/// that are searched for in their paths, in the spellings of all checkpoints; no two of one table fit one path.
package struct LayerArguments: Sendable {
  /// Ranks of layers, by their patterns: `img_attn_dim`.
  package let ranks: [String: String]
  /// Ranks of layers that nothing else trains, in one list, and the patterns in its order: `in_dims`.
  package let rankLists: [String: [String]]
  /// Numbers of blocks that are trained, and the first words of their paths: `train_double_block_indices`.
  package let blocks: [String: [String]]
  /// Words for classes of blocks that are trained, and these classes: `single` of `train_blocks`.
  package let kinds: [String: [String: [String]]]
  /// Layers that are queries, keys and values in one, and maybe what is computed beside them, which `split_qkv` takes
  /// for several.
  package let fused: [String]
  /// What the module knows and is refused, with the reason.
  package let refused: [String: String]

  /// Of a family whose file says nothing.
  package static let none = LayerArguments(
    ranks: [:], rankLists: [:], blocks: [:], kinds: [:], fused: [], refused: [:])

  package static let splits = "split_qkv"

  /// The keys of all of them.
  package var names: Set<String> {
    Set(ranks.keys).union(rankLists.keys).union(blocks.keys).union(kinds.keys)
      .union(fused.isEmpty ? [] : [Self.splits]).union(refused.keys)
  }
}

extension LayerArguments {
  init(_ table: EmbeddedTable) {
    table.expect("ranks", "rank_lists", "blocks", "kinds", "fused", "refused")
    self.init(
      ranks: table.table(ifAny: "ranks")?.entries { $0.string($1) } ?? [:],
      rankLists: table.lists(ifAny: "rank_lists") ?? [:],
      blocks: table.lists(ifAny: "blocks") ?? [:],
      kinds: table.table(ifAny: "kinds")?.entries { kinds, key in
        kinds.table(key).entries { $0.strings($1) }
      } ?? [:],
      fused: table.strings(ifAny: "fused") ?? [],
      refused: table.table(ifAny: "refused")?.entries { $0.string($1) } ?? [:])
  }
}
