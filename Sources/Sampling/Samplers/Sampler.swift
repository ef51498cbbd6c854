/// A solver as users choose it: its name, and by which σ it goes.
package struct Sampler: Hashable, Sendable {
  package let name: SamplerName
  /// Whether steps grow toward noise as in Karras et al. 2022.
  package let usesKarrasSigmas: Bool

  /// What is taken where nobody says.
  package static let standard = Sampler(.euler)

  package init(_ name: SamplerName) { (self.name, usesKarrasSigmas) = (name, false) }

  /// - Throws: `SamplerError.karras` for solvers of whole timesteps.
  package init(_ name: SamplerName, usesKarrasSigmas: Bool) throws(SamplerError) {
    guard !usesKarrasSigmas || name.takesKarrasSigmas else { throw .karras(name) }
    self.name = name
    self.usesKarrasSigmas = usesKarrasSigmas
  }

  /// A name of kohya's scripts, of a web UI or of ComfyUI: "k_euler_a", "DPM++ 2M Karras", "dpmpp_2m_karras".
  ///
  /// Case, blanks, hyphens and underscores do not count.
  /// - Throws: `SamplerError.name`, and as above.
  package init(parsing text: String) throws(SamplerError) {
    var word = Self.folded(text)
    let suffix = "karras"
    let usesKarrasSigmas = word.hasSuffix(suffix)
    if usesKarrasSigmas { word.removeLast(suffix.count) }
    let name = SamplerName.allCases.first { name in
      ([name.rawValue, name.title] + name.aliases).contains { Self.folded($0) == word }
    }
    guard let name else { throw .name(text) }
    try self.init(name, usesKarrasSigmas: usesKarrasSigmas)
  }

  /// As it is parsed again: "DPM++ 2M Karras".
  package var title: String { name.title + (usesKarrasSigmas ? " Karras" : "") }

  static func folded(_ text: String) -> String {
    text.lowercased().filter { !" _-".contains($0) }
  }
}
