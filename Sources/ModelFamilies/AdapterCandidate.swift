/// How well the names of an adapter's modules fit one family.
struct AdapterCandidate {
  let definition: FamilyDefinition
  /// How many of the names mean a module of the family.
  let known: Int
  /// How many of these are spelled as the family itself names modules.
  let own: Int
  /// The metadata entry that names the family.
  let metadata: String?
  /// Length of the beginning by which that entry is known; 0 without one.
  let metadataLength: Int

  var family: ModelFamily { definition.family }

  /// Whether the other explains the adapter better.
  func isWeaker(than other: AdapterCandidate) -> Bool {
    if metadataLength != other.metadataLength { return metadataLength < other.metadataLength }
    return (known, own) < (other.known, other.own)
  }
}
