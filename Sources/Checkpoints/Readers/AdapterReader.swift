package import ModelFamilies
import Patterns

/// A program that loads adapters, and what it makes of them: one file of `ReaderTables`.
package struct AdapterReader: Sendable {
  /// What a program makes of a module, the best first.
  package enum Verdict: String, CaseIterable, Codable, Comparable, Sendable {
    /// As it is meant.
    case whole
    /// Something of it is left out.
    case partly
    /// Its numbers come out as others.
    case wrong
    /// It is passed over.
    case not
    /// The program takes nothing of the file because of it.
    case refused

    package static func < (a: Self, b: Self) -> Bool {
      allCases.firstIndex(of: a)! < allCases.firstIndex(of: b)!
    }
  }

  /// How a program stands to a spelling of names.
  package enum Naming: String, Sendable {
    /// Adapters are spelled so for its sake.
    case own
    /// It is one of several programs for which they are.
    case shared
    /// It loads them as well.
    case read
  }

  /// What it does to modules of some kind.
  package struct Row: Sendable {
    /// nil for any.
    package let algorithms: [String]?
    /// All of them.
    package let traits: Set<ModuleTrait>
    /// One of them at least, where there are any.
    package let alternatives: Set<ModuleTrait>
    package let families: [String]?
    package let formats: [AdapterFormat]?
    /// For the whole name, and one that it must not fit.
    let names: NamePattern?
    let outside: NamePattern?
    package let verdict: Verdict
    /// What it is about, as the subject of a sentence.
    package let what: String
    package let reason: String?
    /// ‖W'_program − W'‖ / ‖W' − W‖ as measured, or from … to.
    package let error: [Double]
    /// Tensors that the program does not know.
    package let unknown: Set<String>
    /// Options of lyco-convert that make of it what the program reads.
    package let remedy: String?
    /// File and function of the program.
    package let source: String
  }

  /// As `--reader` takes it.
  package let name: String
  package let title: String
  /// What else users call it.
  package let words: [String]
  /// Repository and version to which the table was checked.
  package let source: String
  package let namings: [AdapterFormat: Naming]
  /// The names that are written for it.
  let format: AdapterFormat
  let formatByFamily: [String: AdapterFormat]
  /// Families that it has; nil for no list.
  package let families: [String]?
  /// By algorithm, where no row says otherwise.
  package let verdicts: [String: Verdict]
  package let rows: [Row]
  /// How many tensors it may not know before it takes none.
  let mostUnknown: Int?

  /// By its name in `--reader`; nil if there is none.
  package static func named(_ name: String) -> AdapterReader? { all.first { $0.name == name } }

  /// The names that are written for it.
  /// - Parameter family: nil where it is not known.
  package func format(for family: ModelFamily?) -> AdapterFormat {
    family.flatMap { formatByFamily[$0.name] } ?? format
  }

  /// Whether it has models of the family; true where nothing is known.
  func has(_ family: ModelFamily?) -> Bool {
    guard let families, let family, family != .generic else { return true }
    return families.contains(family.name)
  }
}
