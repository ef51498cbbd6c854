import ArgumentParser
import Machine

/// Holds the whole numbers of a command line to their range (`GivenInteger`).
///
/// It is looked at from outside, over the options of a parsed command, so that no option can be forgotten.
struct IntegerRange {
  /// Options whose numbers are names rather than counts.
  private static let free: Set<String> = ["seed", "validation_seed"]

  /// - Parameter arguments: normalized, `--name=value` or `--name value`.
  /// - Throws: `ValidationError` for an option of whole numbers with one that lies outside.
  static func check(_ command: some ParsableArguments, _ arguments: [String]) throws {
    // Most command lines have none.
    let suspects = suspects(in: arguments)
    guard !suspects.isEmpty else { return }
    var found: Set<Int> = []
    collect(command, into: &found)
    for (name, value) in suspects where found.contains(value) {
      throw ValidationError(
        "'--\(name)': expected a whole number of at most \(GivenInteger.range.upperBound), found "
          + "\(value)")
    }
  }

  private static func suspects(in arguments: [String]) -> [(name: String, value: Int)] {
    var suspects: [(name: String, value: Int)] = []
    for (index, argument) in arguments.enumerated() where argument.hasPrefix("--") {
      let body = argument.dropFirst(2)
      let name = String(body.prefix { $0 != "=" })
      let isAttached = name.count < body.count
      let next = index + 1 < arguments.count ? arguments[index + 1] : ""
      let text = isAttached ? String(body.dropFirst(name.count + 1)) : next
      guard let value = Int(text), !GivenInteger.range.contains(value), !free.contains(name) else {
        continue
      }
      suspects.append((name, value))
    }
    return suspects
  }

  /// The whole numbers that a command and its groups of options hold.
  private static func collect(_ arguments: Any, into found: inout Set<Int>) {
    for child in Mirror(reflecting: arguments).children {
      switch child.value {
      case let option as Option<Int>: found.insert(option.wrappedValue)
      case let option as Option<Int?>: option.wrappedValue.map { _ = found.insert($0) }
      case let option as Option<[Int]>: found.formUnion(option.wrappedValue)
      case let group as any OptionGroupValues: collect(group.values, into: &found)
      default: break
      }
    }
  }
}

private protocol OptionGroupValues {
  var values: Any { get }
}

extension OptionGroup: OptionGroupValues {
  fileprivate var values: Any { wrappedValue }
}
