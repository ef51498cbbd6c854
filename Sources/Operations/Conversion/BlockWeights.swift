package import ModelFamilies
import Patterns

/// Factors of an adapter's ratio by block of the model, linear in the change.
///
/// Two forms: a list of numbers as kohya's `--lbws` and the web UI have it, of which the length says which
/// block each number is for (`BlockLayout`), or the web UI's name of one; and selectors for any family,
/// `double_blocks.0-18=0.5;*attn1*=0;*=1`, of which the first that fits a module counts (`BlockSelector`).
/// Modules that nothing fits keep their strength.
package struct BlockWeights: Sendable {
  private enum Form: Sendable {
    /// - name: in the web UI, nil for the numbers themselves.
    case list([String: Float], BlockLayout, name: String?)
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
    let named = BlockLayout.presets[name]
    let list = (named ?? text).drop { $0 == "[" }.prefix { $0 != "]" }
    let numbers = list.split(separator: ",", omittingEmptySubsequences: false).map {
      Float($0).flatMap { $0.isFinite ? $0 : nil }
    }
    let weights = numbers.compactMap { $0 }
    guard weights.count == numbers.count else {
      throw Failure(
        description: "expected a list of numbers, 'pattern=weight;…' or one of "
          + BlockLayout.presets.keys.sorted().joined(separator: ", ") + ", found '\(text)'")
    }
    guard let layout = BlockLayout.all.first(where: { $0.blocks.count == weights.count }) else {
      throw Failure(
        description:
          "expected 12 or 20 block weights for SDXL, 17 or 26 for SD1 and SD2, or 61 for "
          + "Flux, found \(weights.count)")
    }
    return .list(
      Dictionary(uniqueKeysWithValues: zip(layout.blocks, weights)), layout,
      name: named.map { _ in name })
  }

  /// The length of a list is that of one model: weights of another would fall on other blocks.
  /// - Parameter families: that the model may be of; where none is known, or `generic`, any list may be meant.
  /// - Throws: `Failure`
  package func check(for families: [ModelFamily]) throws(Failure) {
    guard case .list(_, let layout, let name) = form, let family = families.first,
      !families.contains(where: { $0 == .generic || layout.families.contains($0.name) })
    else { return }
    let titles = layout.families.compactMap { ModelFamily.named($0)?.title }
    let counts = BlockLayout.all.filter { $0.families.contains(family.name) }.map(\.blocks.count)
    throw Failure(
      description: "expected "
        + (counts.isEmpty
          ? "'pattern=weight;…', since no list is known for its blocks,"
          : counts.sorted().map(String.init).joined(separator: " or ") + " numbers")
        + " for \(family.title), found "
        + (name.map { "the list \($0), which is for " } ?? "\(layout.blocks.count), which are for ")
        + titles.joined(separator: " and "))
  }

  /// The factor of a module.
  /// - Parameter names: of the family that the module is of; nil for one without tables, whose modules
  ///   are known by their own names alone.
  package func weight(of module: String, in names: FamilyNames?) -> Float {
    switch form {
    case .list(let weights, let layout, _):
      return Self.block(of: module, layout, names).flatMap { weights[$0] } ?? 1
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
    case .list(_, let layout, _):
      guard modules.allSatisfy({ Self.block(of: $0, layout, names) == nil }) else { return [] }
      return [
        "\(flag): none of \(modules.count) modules lies in one of the \(layout.blocks.count) blocks"
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
    of module: String, _ layout: BlockLayout, _ names: FamilyNames?
  ) -> String? {
    let place = names?.places(named: module).first
    let component = place?.component ?? AdapterPlace(module).component
    let format: AdapterFormat = layout.isStableDiffusion ? .sgm : .kohya
    let name = place.flatMap { names?.spelling(of: $0, in: format)?.name } ?? module
    return layout.block(component: component, words: name.nameWords)
  }
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
