extension NameTable {
  /// A place found by one of its names: the rows that lead to it and the numbers in them.
  struct Match: Sendable {
    /// Rows from outermost to innermost.
    let rows: [Int]
    let numbers: [Int]
    /// Which of the spelling's parts, where other columns fuse them.
    let part: Int
    /// What the key is to the module; `.weight` where a name was sought.
    let role: KeyRole

    /// The innermost row.
    var row: Int { rows[rows.count - 1] }
  }

  /// The place that the key belongs to in that column; its prefix ends before `start`.
  func match(key: [UInt8], from start: Int, column: Int) -> Match? {
    var search = Search(bytes: key, column: column, separator: UInt8(ascii: "."), seeksKey: true)
    walk(entry(column), start, &search)
    return search.found.first
  }

  /// The places whose name in that column follows the prefix before `start`, with `separator` for the
  /// dots. More than one if the underscored names of several places are the same.
  func matches(name: [UInt8], from start: Int, separator: UInt8, column: Int) -> [Match] {
    var search = Search(bytes: name, column: column, separator: separator, seeksKey: false)
    walk(entry(column), start, &search)
    return search.found
  }

  /// The name of the place in that column; `part` chooses among parts that others fuse.
  /// `nil` if the column has no such place.
  func name(of match: Match, column: Int, part: Int) -> String? {
    var name = ""
    var number = 0
    for row in match.rows {
      let stems = rows[row].stems[column]
      guard let stem = stems.count == 1 ? stems[0] : part < stems.count ? stems[part] : nil else {
        return nil
      }
      if !name.isEmpty { name += "." }
      name += stem.pieces[0]
      for piece in stem.pieces.dropFirst() {
        name += String(match.numbers[number])
        name += piece
        number += 1
      }
    }
    return name
  }

  /// The classes the place lies in, outermost first.
  func containers(of match: Match) -> [String] {
    match.rows.count == 1
      ? rows[match.rows[0]].containers : match.rows.flatMap { rows[$0].containers }
  }

  /// State of one walk: where it is, and what led there.
  private struct Search {
    let bytes: [UInt8]
    let column: Int
    let separator: UInt8
    /// Ends at the key of a parameter (the first suffices), or at the name of a module (all count).
    let seeksKey: Bool
    var rows: [Int] = []
    var numbers: [Int] = []
    var found: [Match] = []

    /// Nothing more is to be found.
    var isDone: Bool { seeksKey && !found.isEmpty }

    /// Whether the name goes on with that range of `letters`, as a whole segment.
    func has(_ segment: Range<Int>, of letters: [UInt8], at position: Int) -> Bool {
      let end = position + segment.count
      guard end <= bytes.count, end == bytes.count || bytes[end] == separator else { return false }
      for index in 0..<segment.count
      where bytes[position + index] != letters[segment.lowerBound + index] {
        return false
      }
      return true
    }

    /// The number that the name goes on with, as a whole segment, and its length.
    func number(at position: Int) -> (Int, Int)? {
      var number = 0
      var end = position
      while end < bytes.count, end < position + 6, case let digit = bytes[end] &- UInt8(ascii: "0"),
        digit < 10
      {
        number = number * 10 + Int(digit)
        end += 1
      }
      let hasLeadingZero = end > position + 1 && bytes[position] == UInt8(ascii: "0")
      guard end > position, !hasLeadingZero, end == bytes.count || bytes[end] == separator else {
        return nil
      }
      return (number, end - position)
    }

    mutating func note(_ row: Int, _ part: Int, _ role: KeyRole) {
      found.append(Match(rows: rows + [row], numbers: numbers, part: part, role: role))
    }
  }

  private func walk(_ index: Int, _ position: Int, _ search: inout Search) {
    if position > search.bytes.count {
      if search.seeksKey, let key = nodes[index].key {
        search.note(key.row, key.part, key.role)
      } else if !search.seeksKey, let stem = nodes[index].stem {
        search.note(stem.row, stem.part, .weight)
      }
      return
    }
    var isNumbered = false
    for literal in nodes[index].literals.indices {
      let (segment, next) = nodes[index].literals[literal]
      guard search.has(segment, of: letters, at: position) else { continue }
      let known = search.found.count
      walk(next, position + segment.count + 1, &search)
      if search.isDone { return }
      // A row for one number, `layers.23`, goes before that for any.
      if search.found.count > known, search.number(at: position)?.1 == segment.count {
        isNumbered = true
      }
    }
    if !isNumbered, let next = nodes[index].number,
      let (number, length) = search.number(at: position)
    {
      search.numbers.append(number)
      walk(next, position + length + 1, &search)
      search.numbers.removeLast()
      if search.isDone { return }
    }
    if let (row, block) = nodes[index].block {
      search.rows.append(row)
      walk(entries[block][search.column], position, &search)
      search.rows.removeLast()
      if search.isDone { return }
    }
    if search.seeksKey, let stem = nodes[index].stem,
      let role = KeyRole(suffix: search.bytes[position...])
    {
      search.note(stem.row, stem.part, role)
    }
  }
}
