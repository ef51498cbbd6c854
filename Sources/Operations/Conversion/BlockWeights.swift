package import ModelFamilies
import Patterns

/// Factors of an adapter's ratio by block of the model, linear in the change.
///
/// Two forms: a list of numbers as kohya's `--lbws` and the web UI have it, of which the length says which
/// block each number is for (`BlockTable`), or the web UI's name of one; and selectors for any family,
/// `double_blocks.0-18=0.5;*attn1*=0;*=1`, of which the first that fits a module counts (`BlockSelector`).
/// Modules that nothing fits keep their strength.
package struct BlockWeights: Sendable {
  private enum Form: Sendable {
    /// - name: in the web UI, nil for the numbers themselves.
    case list([String: Float], BlockTable, name: String?)
    case selectors([(selector: BlockSelector, weight: Float)])
  }

  /// What is wrong with a text.
  package struct Failure: Error, CustomStringConvertible {
    package let description: String
  }

  private let form: Form

  /// - Throws: `Failure`
  package init(_ text: String) throws(Failure) {
    let text = text.filter { !$0.isWhitespace }
    guard text.contains("=") else {
      form = try Self.list(text)
      return
    }
    var selectors: [(selector: BlockSelector, weight: Float)] = []
    for entry in text.split(separator: ";") {
      // No name has the sign, so that a second one is a slip.
      guard let end = entry.firstIndex(of: "="), end > entry.startIndex,
        let weight = Float(entry[entry.index(after: end)...]), weight.isFinite
      else {
        throw Failure(
          description: "expected 'pattern=weight' with a number for the weight, found '\(entry)'"
            + (entry.contains(",") ? "; several stand apart by ';'" : ""))
      }
      do {
        selectors.append((try BlockSelector(String(entry[..<end])), weight))
      } catch {
        throw Failure(description: "\(error)")
      }
    }
    form = .selectors(selectors)
  }

  private static func list(_ text: String) throws(Failure) -> Form {
    let name = text.uppercased()
    let presets = BlockTable.all.map(\.presets).reduce(into: [:]) { $0.merge($1) { $1 } }
    let named = presets[name]
    let list = (named ?? text).drop { $0 == "[" }.prefix { $0 != "]" }
    let numbers = list.split(separator: ",", omittingEmptySubsequences: false).map {
      Float($0).flatMap { $0.isFinite ? $0 : nil }
    }
    let weights = numbers.compactMap { $0 }
    guard weights.count == numbers.count else {
      throw Failure(
        description: "expected a list of numbers, 'pattern=weight;…' or one of "
          + presets.keys.sorted().joined(separator: ", ") + ", found '\(text)'")
    }
    guard let (table, blocks) = BlockTable.list(of: weights.count) else {
      throw Failure(description: "expected \(known), found \(weights.count)")
    }
    return .list(
      Dictionary(uniqueKeysWithValues: zip(blocks, weights)), table, name: named.map { _ in name })
  }

  /// `12 or 20 block weights for SDXL, …, or 61 for Flux`
  private static var known: String {
    let tables = BlockTable.all.enumerated().map { index, table in
      "\(table.counts)\(index == 0 ? " block weights" : "") for \(table.title)"
    }
    return tables.dropLast().joined(separator: ", ") + ", or " + (tables.last ?? "")
  }

  /// The length of a list is that of one model: weights of another would fall on other blocks.
  /// - Parameter families: that the model may be of; where none is known, or `generic`, any list may be meant.
  /// - Throws: `Failure`
  package func check(for families: [ModelFamily]) throws(Failure) {
    guard case .list(let weights, let table, let name) = form, let family = families.first,
      !families.contains(where: { $0 == .generic || table.families.contains($0) })
    else { return }
    throw Failure(
      description: "expected "
        + (family.blocks.map { "\($0.counts) numbers" }
          ?? "'pattern=weight;…', since no list is known for its blocks,")
        + " for \(family.title), found "
        + (name.map { "the list \($0), which is for " } ?? "\(weights.count), which are for ")
        + table.families.map(\.title).joined(separator: " and "))
  }

  /// The factor of a module.
  /// - Parameter names: of the family that the module is of; nil for one without tables, whose modules
  ///   are known by their own names alone.
  package func weight(of module: String, in names: FamilyNames?) -> Float {
    switch form {
    case .list(let weights, let table, _):
      return Self.block(of: module, table, names).flatMap { weights[$0] } ?? 1
    case .selectors(let selectors):
      let spellings = BlockSpellings(of: module, in: names)
      return selectors.first { $0.selector.fits(spellings) }?.weight ?? 1
    }
  }

  /// What fits none of the modules.
  package func notices(on modules: [String], in names: FamilyNames?) -> [String] {
    let flag = "'--block_weights'"
    guard !modules.isEmpty else { return [] }
    switch form {
    case .list(let weights, let table, _):
      guard modules.allSatisfy({ Self.block(of: $0, table, names) == nil }) else { return [] }
      return [
        "\(flag): none of \(modules.count) modules lies in one of the \(weights.count) blocks"
      ]
    case .selectors(let selectors):
      let spellings = modules.map { BlockSpellings(of: $0, in: names) }
      return selectors.compactMap { entry in
        let selector = entry.selector
        guard !spellings.contains(where: selector.fits) else { return nil }
        return "\(flag): '\(selector.text)' fits none of \(modules.count) modules"
          + selector.hint(among: spellings)
      }
    }
  }

  static func block(
    of module: String, _ table: BlockTable, _ names: FamilyNames?
  ) -> String? {
    guard let place = names?.places(named: module).first else {
      let place = AdapterPlace(module)
      return table.block(component: place.component, role: place.role, words: module.nameWords)
    }
    let name = names?.spelling(of: place, in: table.format)?.name ?? module
    return table.block(component: place.component, role: place.role, words: name.nameWords)
  }
}

extension BlockTable {
  /// How many numbers its lists have: `12 or 20`.
  fileprivate var counts: String { lists.map { "\($0.count)" }.joined(separator: " or ") }
}

extension PlaceSpelling {
  /// The name, of the whole for a part and of the first part for a whole.
  var name: String? {
    switch self {
    case .same(let name, _): name
    case .parts(let names, _): names.first
    case .part(let name, _, _): name
    }
  }
}

extension String {
  /// The parts between dots and underscores.
  var nameWords: [String] {
    split { $0 == "." || $0 == "_" }.map(String.init)
  }
}
