package import ModelFamilies

/// Factors of an adapter's ratio by block of the model, linear in the change.
///
/// Two forms: a list of numbers as kohya's `--lbws` and the web UI have it, of which the length says which
/// block each number is for (`BlockLayout`); and patterns for any family,
/// `double_blocks.0-18=0.5;single_blocks=1;*=1`, of which the first that fits a module counts. A pattern
/// is a part of a name between its dots or underscores, in any tool's spelling; numbers may be ranges,
/// `*` stands for any one word, and components are words too: `te1`, `unet`. Modules that nothing fits
/// keep their strength.
package struct BlockWeights: Sendable, Equatable {
  private enum Form: Sendable, Equatable {
    case list([String: Float], count: Int)
    case patterns([Pattern])
  }

  fileprivate struct Pattern: Sendable, Equatable {
    let words: [String]
    let weight: Float
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
      let list = text.drop { $0 == "[" }.prefix { $0 != "]" }
      let numbers = list.split(separator: ",", omittingEmptySubsequences: false).map {
        Float($0).flatMap { $0.isFinite ? $0 : nil }
      }
      let weights = numbers.compactMap { $0 }
      guard weights.count == numbers.count else {
        throw Failure(
          description: "expected a list of numbers or 'pattern=weight;…', found '\(text)'")
      }
      guard let layout = BlockLayout.all.first(where: { $0.blocks.count == weights.count }) else {
        throw Failure(
          description:
            "expected 12 or 20 block weights for SDXL, 17 or 26 for SD1 and SD2, or 61 for "
            + "Flux, found \(weights.count)")
      }
      form = .list(
        Dictionary(uniqueKeysWithValues: zip(layout.blocks, weights)), count: weights.count)
      return
    }
    var patterns: [Pattern] = []
    for entry in text.split(separator: ";") {
      let sides = entry.split(separator: "=", omittingEmptySubsequences: false)
      guard sides.count == 2, let weight = Float(sides[1]), weight.isFinite, !sides[0].isEmpty
      else {
        throw Failure(description: "expected 'pattern=weight', found '\(entry)'")
      }
      patterns.append(Pattern(words: String(sides[0]).nameWords, weight: weight))
    }
    form = .patterns(patterns)
  }

  /// The factor of a module.
  /// - Parameter names: of the family that the module is of; nil for one without tables, whose modules
  ///   are known by their own names alone.
  package func weight(of module: String, in names: FamilyNames?) -> Float {
    let place = names?.places(named: module).first
    let component = place?.component ?? AdapterPlace(module).component
    switch form {
    case .list(let weights, let count):
      guard let layout = BlockLayout.all.first(where: { $0.blocks.count == count }) else {
        return 1
      }
      let format: AdapterFormat = layout.isStableDiffusion ? .sgm : .kohya
      let name = place.flatMap { names?.spelling(of: $0, in: format)?.name } ?? module
      return layout.block(component: component, words: name.nameWords).flatMap { weights[$0] } ?? 1
    case .patterns(let patterns):
      var spellings = [module]
      if let place, let names {
        for format in [AdapterFormat.kohya, .sgm, .comfy, .diffusers] {
          if let name = names.spelling(of: place, in: format)?.name { spellings.append(name) }
        }
      }
      let candidates = spellings.map { [component] + $0.nameWords }
      let fitting = patterns.first { pattern in
        candidates.contains { pattern.fits($0) }
      }
      return fitting?.weight ?? 1
    }
  }
}

extension BlockWeights.Pattern {
  /// Whether the words stand one after another somewhere in a name.
  fileprivate func fits(_ name: [String]) -> Bool {
    guard name.count >= words.count else { return false }
    return (0...(name.count - words.count)).contains { start in
      zip(words, name[start...]).allSatisfy { Self.fits($0, $1) }
    }
  }

  private static func fits(_ pattern: String, _ word: String) -> Bool {
    if pattern == "*" || pattern == word { return true }
    let bounds = pattern.split(separator: "-").map { Int($0) }
    guard bounds.count == 2, let low = bounds[0], let high = bounds[1], let number = Int(word)
    else {
      return false
    }
    return low <= number && number <= high
  }
}

extension PlaceSpelling {
  /// The name, of the whole for a part and of the first part for a whole.
  fileprivate var name: String? {
    switch self {
    case .same(let name, _): name
    case .parts(let names, _): names.first
    case .part(let name, _, _): name
    }
  }
}

extension String {
  /// The parts between dots and underscores.
  fileprivate var nameWords: [String] {
    split { $0 == "." || $0 == "_" }.map(String.init)
  }
}
