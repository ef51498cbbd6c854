import Tensors

/// An algorithm that adapters use and this suite cannot apply: as much as its tensors' names tell.
struct ForeignAlgorithm: Sendable {
  /// Where the rank is seen.
  enum RankSource: Sendable {
    /// The first axis of the first of these tensors that is there.
    case rows([String])
    /// The smaller extent of a tensor whose axes two tools order differently.
    case smallerExtent(String)
    case none
  }

  let name: String
  /// Suffixes of which any one identifies it.
  let markers: Set<String>
  /// Further suffixes.
  let others: Set<String>
  let rank: RankSource
  /// What a module must have: of each list one entry, all of whose suffixes are there.
  let required: [[Set<String>]]
  /// Whether alpha / rank multiplies the change.
  let isScaled: Bool

  /// Source: LyCORIS 4.1 `modules/*.py`, sd-scripts `networks/oft.py`.
  static let all: [ForeignAlgorithm] = [
    ForeignAlgorithm(
      name: "loha", markers: ["hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"],
      others: ["hada_t1", "hada_t2"], rank: .rows(["hada_w1_b"]),
      required: [[["hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"]]], isScaled: true),
    ForeignAlgorithm(
      name: "lokr",
      markers: [
        "lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b",
      ], others: ["lokr_t1", "lokr_t2"], rank: .rows(["lokr_w2_b", "lokr_w1_b"]),
      required: [
        [["lokr_w1"], ["lokr_w1_a", "lokr_w1_b"]], [["lokr_w2"], ["lokr_w2_a", "lokr_w2_b"]],
      ], isScaled: true),
    ForeignAlgorithm(
      name: "glora", markers: ["a1.weight", "a2.weight", "b1.weight", "b2.weight"],
      others: ["bm.weight"], rank: .smallerExtent("a1.weight"),
      required: [[["a1.weight", "a2.weight", "b1.weight", "b2.weight"]]], isScaled: true),
    // alpha is the constraint on the rotation here.
    ForeignAlgorithm(
      name: "oft", markers: ["oft_blocks", "oft_diag"], others: ["rescale"], rank: .none,
      required: [[["oft_blocks"], ["oft_diag"]]], isScaled: false),
    ForeignAlgorithm(
      name: "ia3", markers: ["on_input"], others: ["weight"], rank: .none,
      required: [[["weight"]], [["on_input"]]], isScaled: false),
    ForeignAlgorithm(
      name: "t-lora", markers: ["q_layer.weight", "p_layer.weight", "lambda_layer"], others: [],
      rank: .rows(["q_layer.weight"]),
      required: [[["q_layer.weight", "p_layer.weight", "lambda_layer"]]], isScaled: true),
  ]

  func rank(of shapes: [String: Shape]) -> Int? {
    switch rank {
    case .rows(let suffixes): suffixes.lazy.compactMap { shapes[$0] }.first?.rows
    case .smallerExtent(let suffix): shapes[suffix].map { min($0.rows, $0.columns) }
    case .none: nil
    }
  }

  /// One sentence for each requirement that the tensors do not meet.
  func missing(in suffixes: Set<String>) -> [String] {
    required.compactMap { alternatives in
      guard !alternatives.contains(where: { $0.isSubset(of: suffixes) }) else { return nil }
      // Name what the alternative lacks that comes closest.
      let lacks = alternatives.map { $0.subtracting(suffixes).sorted() }
      let nearest = lacks.min { $0.count < $1.count } ?? []
      return nearest.map { "'\($0)'" }.joined(separator: ", ")
        + (nearest.count == 1 ? " is missing" : " are missing")
    }
  }
}
