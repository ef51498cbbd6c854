import ArgumentParser

/// The names of all options that a command or file of kohya's scripts may hold.
struct ScriptVocabulary: Sendable {
  /// Options of this tool, and what follows each.
  private let own: [String: ScriptOption.Values]
  /// Lists of numbers, which end at the first word that is none.
  private let numeric: Set<String>

  /// Options of this tool that no script has; they are not considered where a script's option is shortened.
  private static let additions: Set<String> = [
    "base", "base_weights_dtype", "dry_run", "ema_decay", "family", "help", "json",
    "latent_cache_format", "log_csv", "plan", "quiet", "threads", "verbose", "version",
  ]
  private static let renamed = ["caption_extention": "caption_extension"]

  /// - Parameters:
  ///   - flags, values, lists, numbers: names of this tool's options, by what follows.
  init(flags: Set<String>, values: Set<String>, lists: Set<String>, numbers: Set<String>) {
    var own = Dictionary(uniqueKeysWithValues: flags.map { ($0, ScriptOption.Values.none) })
    for name in values { own[name] = .one }
    for name in lists.union(numbers) { own[name] = .several }
    self.own = own
    numeric = numbers
  }

  func isOwn(_ name: String) -> Bool { own[name] != nil }

  func values(of name: String) -> ScriptOption.Values {
    own[name] ?? ScriptOption.all[name]?.values ?? .one
  }

  func isNumeric(_ name: String) -> Bool { numeric.contains(name) }

  /// The option that a name stands for: itself, with hyphens or shortened; nil if there is none.
  /// - Throws: `ValidationError` where it could be several.
  func name(of given: String) throws -> String? {
    let name = Self.canonical(given)
    if own[name] != nil || ScriptOption.all[name] != nil { return name }
    guard !name.isEmpty else { return nil }
    func candidates(_ names: some Sequence<String>) -> [String] {
      Set(names.filter { $0.hasPrefix(name) }.map(Self.canonical)).sorted()
    }
    let ofNetworks = Set(own.keys).subtracting(Self.additions).union(
      ScriptOption.all.filter { $0.value.isOfNetworkScript }.keys)
    var found = candidates(ofNetworks)
    if found.isEmpty { found = candidates(Self.additions) }
    if found.isEmpty { found = candidates(ScriptOption.all.keys) }
    guard found.count < 2 else {
      throw ValidationError(
        "'--\(given)' is short for \(found.count) options: expected one of "
          + found.map { "'--\($0)'" }.joined(separator: ", "))
    }
    return found.first
  }

  /// Hyphens are underscores, and an old spelling is the new one.
  static func canonical(_ name: String) -> String {
    let name = String(name.map { $0 == "-" ? "_" : $0 })
    return renamed[name] ?? name
  }

  /// The option that a key was meant to be: one letter more, fewer, another or two exchanged. Names of two or three
  /// letters are near to too much.
  func oneEdit(from key: String) -> String? {
    let key = key.lowercased()
    return own.keys.sorted().first {
      $0 == key || min($0.count, key.count) > 3 && $0.utf8.isOneEdit(from: key.utf8)
    }
  }
}

extension ScriptOption {
  /// Whether kohya's script for adapters of Stable Diffusion knows it.
  fileprivate var isOfNetworkScript: Bool {
    switch fate {
    case .withoutEffect, .refused: true
    case .ofOtherScripts, .ofOtherModel: false
    }
  }
}

extension String.UTF8View {
  /// Whether one byte more, less or other, or two neighbours exchanged, make one text of the other.
  fileprivate func isOneEdit(from other: String.UTF8View) -> Bool {
    let (a, b) = count >= other.count ? (Array(self), Array(other)) : (Array(other), Array(self))
    guard a.count - b.count < 2 else { return false }
    var head = 0
    while head < b.count, a[head] == b[head] { head += 1 }
    if a.count > b.count { return a[(head + 1)...].elementsEqual(b[head...]) }
    guard head < b.count else { return false }
    if a[(head + 1)...].elementsEqual(b[(head + 1)...]) { return true }
    return head + 1 < b.count && a[head] == b[head + 1] && a[head + 1] == b[head]
      && a[(head + 2)...].elementsEqual(b[(head + 2)...])
  }
}
