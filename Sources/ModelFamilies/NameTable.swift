import Tensors

/// The module names of one component in every spelling: a grammar of blocks whose rows say, column by
/// column, what one module (or one nested block) is called.
///
/// A row of the files is a line of columns and notes:
///
///     double_blocks.{n}  transformer_blocks.{n}                    @double
///     img_attn.qkv       attn.to_q|attn.to_k|attn.to_v             SelfAttention
///     norm.key.scale,    norm_k
///
/// `{n}` is any number, the same in all columns; `-` a column in which the place does not exist;
/// `a|b|c` modules that the other columns hold in one weight, by rows, equal parts but where `a*4`
/// has four times the rows of a plain one; `weight,bias` whole keys where they are not `<name>.weight`
/// and `<name>.bias`, one word before the comma a key that is the weight itself. Notes: `@block` opens a block, a bare word is a class the module lies in,
/// `!embedding` and `!parameter` say what a shape does not tell; `swapped=diffusers` says that in that
/// column the halves of the rows stand in the other order, `rows=6` that they do not where the weight
/// is six times as high as wide; `transposed=openclip` that in that column rows are inputs.
struct NameTable: Sendable {
  /// What one row stands for.
  enum Role: Sendable {
    case module, embedding, parameter
  }

  /// One spelling of one module.
  struct Stem: Sendable {
    /// The dotted name, cut at its numbers: `["double_blocks.", ".img_attn.qkv"]`.
    let pieces: [String]
    /// Last part of the weight's key if it is not `weight`; empty if the name is the whole key.
    let weight: String?
    /// Last part of the bias's key if it is not `bias`; empty if there is none.
    let bias: String?
    /// Rows of a fused weight that are this part's, as a multiple of what a plain part has.
    let share: Int
  }

  /// One place, in all columns.
  struct Row: Sendable {
    /// By column; empty where the place does not exist.
    let stems: [[Stem]]
    let role: Role
    let containers: [String]
    /// The column in which the halves of the rows stand in the other order than in all others.
    let swapped: Int?
    /// Height of the weight over its width for which no halves are swapped after all.
    let ratio: Int?
    /// The column in which the weight has inputs for rows, unlike in all others.
    let transposed: Int?
  }

  /// A place in the tree of name segments of one column of one block.
  struct Node: Sendable {
    /// Segments that go on from here, as ranges of `letters`.
    var literals: [(segment: Range<Int>, node: Int)] = []
    var number: Int?
    /// Row and part whose name ends here.
    var stem: (row: Int, part: Int)?
    /// Row and part one of whose keys ends here, and which of its keys that is.
    var key: (row: Int, part: Int, role: KeyRole)?
    /// Row whose name ends here, and the block that continues it.
    var block: (row: Int, block: Int)?
  }

  /// Where a table is read from.
  struct Source: Hashable {
    let files: [String]
    /// The block in which the names start.
    let root: String
  }

  let columns: [String]
  private(set) var rows: [Row] = []
  private(set) var nodes: [Node] = []
  /// All segments that the nodes' literals refer to, in a row.
  private(set) var letters: [UInt8] = []
  /// First node of each block by column.
  private(set) var entries: [[Int]] = []
  private var blockNumbers: [String: Int] = [:]
  private let start: Int

  private static let files = EmbeddedFolder("NameTables", of: EmbeddedTables.files)

  /// Traps if there is no file of that name.
  static func file(_ name: String) -> EmbeddedTable { files.table(name) }

  /// First node of the table in that column.
  func entry(_ column: Int) -> Int { entries[start][column] }

  /// Index of the column of that name.
  func column(_ name: String) -> Int {
    guard let index = columns.firstIndex(of: name) else {
      preconditionFailure("no column '\(name)' among \(columns)")
    }
    return index
  }
}

extension NameTable.Row {
  /// Whether the weight has inputs for rows in one of the columns, and outputs in the other.
  func transposes(from column: Int, to other: Int) -> Bool {
    transposed != nil && (column == transposed) != (other == transposed)
  }

  /// Whether the halves of the rows stand in the other order in one of the columns than in the other;
  /// nil if only the shape of the weight could tell.
  /// - Parameter shape: of the weight, if it is known.
  func swapsHalves(from column: Int, to other: Int, of shape: Shape?) -> Bool? {
    guard let swapped, (column == swapped) != (other == swapped) else { return false }
    guard let ratio else { return true }
    guard let shape else { return nil }
    return shape.rows != ratio * shape.columns
  }
}

extension NameTable {
  /// Reads the blocks of files into one table that starts in block `root`.
  init(_ contents: [EmbeddedTable], root: String) {
    columns = contents[0].strings("columns")
    // In one order, so that a row has the same number whenever the table is read.
    let blocks = contents.flatMap { $0.table("blocks").entries { $0.table($1) } }
      .sorted { $0.key < $1.key }
    for (number, block) in blocks.enumerated() { blockNumbers[block.key] = number }
    start = blockNumbers[root]!
    entries = blocks.indices.map { _ in [] }
    for (number, block) in blocks.enumerated() {
      entries[number] = columns.indices.map { nodes.count + $0 }
      nodes += columns.map { _ in Node() }
      for line in block.value.string("rows").utf8.split(separator: UInt8(ascii: "\n")) {
        add(line.words(at: " "), number, block.value.strings(ifAny: "classes") ?? [])
      }
    }
  }

  private mutating func add(_ words: [Substring.UTF8View], _ block: Int, _ classes: [String]) {
    var role = Role.module
    var containers = classes
    var nested: Int?
    var swapped: Int?
    var ratio: Int?
    var transposed: Int?
    for note in words[columns.count...].map(String.init) {
      if note.hasPrefix("@") {
        nested = blockNumbers[String(note.dropFirst())]!
      } else if note == "!embedding" {
        role = .embedding
      } else if note == "!parameter" {
        role = .parameter
      } else if note.hasPrefix("swapped=") {
        swapped = column(String(note.dropFirst("swapped=".count)))
      } else if note.hasPrefix("rows=") {
        ratio = Int(note.dropFirst(5))
      } else if note.hasPrefix("transposed=") {
        transposed = column(String(note.dropFirst("transposed=".count)))
      } else {
        containers.append(note)
      }
    }
    let number = rows.count
    let stems = words[..<columns.count].map { cell in
      cell.elementsEqual("-".utf8) ? [] : cell.words(at: "|").map(Stem.init)
    }
    let numbers = stems.first { !$0.isEmpty }![0].pieces.count - 1
    rows.append(
      Row(
        stems: stems, role: role, containers: containers, swapped: swapped, ratio: ratio,
        transposed: transposed))
    for column in columns.indices {
      for (part, stem) in stems[column].enumerated() {
        precondition(
          stem.pieces.count == numbers + 1, "'\(words.map(String.init))': columns differ in numbers"
        )
        let node = insert(stem.pieces, from: entries[block][column])
        if let nested {
          nodes[node].block = (number, nested)
        } else if role == .parameter {
          nodes[node].key = (number, part, .parameter)
        } else {
          nodes[node].stem = (number, part)
          if let weight = stem.weight {
            nodes[insert([weight], from: node)].key = (number, part, .weight)
            // Adapters name `attn.in_proj_weight` by its module or by the tensor.
            if weight.hasSuffix("_weight") {
              let name = String(weight.dropLast("_weight".count))
              nodes[insert([name], from: node)].stem = (number, part)
            }
          }
          if let bias = stem.bias, !bias.isEmpty {
            nodes[insert([bias], from: node)].key = (number, part, .bias)
          }
        }
      }
    }
  }

  /// Node at the end of the name whose pieces are parted by numbers, made if it is not there.
  private mutating func insert(_ pieces: [String], from first: Int) -> Int {
    var node = first
    for (index, piece) in pieces.enumerated() {
      if index > 0 {
        if nodes[node].number == nil {
          nodes[node].number = nodes.count
          nodes.append(Node())
        }
        node = nodes[node].number!
      }
      for segment in piece.utf8.split(separator: UInt8(ascii: ".")) {
        let next = nodes[node].literals.first { letters[$0.segment].elementsEqual(segment) }
        if let next {
          node = next.node
        } else {
          nodes[node].literals.append(
            (letters.count..<letters.count + segment.count, nodes.count))
          letters += segment
          node = nodes.count
          nodes.append(Node())
        }
      }
    }
    return node
  }
}

extension NameTable.Stem {
  /// Reads one spelling from a cell: `name`, `name*4` or `weight key,bias key`.
  fileprivate init(_ cell: Substring.UTF8View) {
    let words = cell.words(at: "*")
    share = words.count > 1 ? Int(Substring(words[1]))! : 1
    let keys = words[0].split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
    guard keys.count == 2 else {
      pieces = words[0].pieces
      weight = nil
      bias = nil
      return
    }
    guard let dot = keys[0].lastIndex(of: UInt8(ascii: ".")) else {
      pieces = keys[0].pieces
      weight = ""
      bias = String(keys[1])
      return
    }
    pieces = keys[0][..<dot].pieces
    weight = String(keys[0][dot...].dropFirst())
    bias = keys[1].words(at: ".").last.map(String.init) ?? ""
  }
}

/// Of a table's text, which is ASCII: looking for characters in it would cost three times as much as all the rest.
extension Substring.UTF8View {
  fileprivate func words(at separator: Unicode.Scalar) -> [Substring.UTF8View] {
    split(separator: UInt8(ascii: separator))
  }

  /// The text between the numbers of a template; `["a.", ".b"]` for `a.{n}.b`.
  fileprivate var pieces: [String] {
    var pieces: [String] = []
    var rest = self
    while let brace = rest.firstIndex(of: UInt8(ascii: "{")) {
      pieces.append(String(rest[..<brace]))
      rest = rest[brace...].dropFirst(3)
    }
    return pieces + [String(rest)]
  }
}

extension String {
  fileprivate init(_ text: Substring.UTF8View) { self.init(Substring(text)) }
}
