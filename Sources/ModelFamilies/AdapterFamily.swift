/// The family that an adapter was made for, as far as its names, widths and metadata tell.
package struct AdapterFamily: Sendable {
  /// `nil` if no family knows at least half of the names.
  package let family: ModelFamily?
  /// Other families that explain the adapter as well as `family`, which then is the first in order of preference.
  package let rivals: [ModelFamily]
  /// Why, a sentence each.
  package let evidence: [String]

  /// All that it may be for, the preferred first.
  package var candidates: [ModelFamily] { (family.map { [$0] } ?? []) + rivals }
}

extension AdapterFamily {
  /// The one of the candidates that is known otherwise, or as it is if it is none of them.
  package func settled(as known: ModelFamily, because reason: String) -> AdapterFamily {
    guard candidates.contains(known), !rivals.isEmpty else { return self }
    return AdapterFamily(family: known, rivals: [], evidence: evidence + [reason])
  }
}
