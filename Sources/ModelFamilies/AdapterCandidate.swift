/// How well an adapter fits one family.
struct AdapterCandidate {
  let definition: FamilyDefinition
  /// How many of the names mean a module of the family.
  let known: Int
  /// How many of these some format of the family writes in exactly that way.
  let written: Int
  /// Kinds of blocks of which the adapter has as many as the family, from the first to the last.
  let wholeBlocks: [String]
  /// The metadata entry that names the family.
  let metadata: String?
  /// Length of the beginning by which that entry is known; 0 without one.
  let metadataLength: Int

  var family: ModelFamily { definition.family }

  /// Whether the other explains the adapter better.
  func isWeaker(than other: AdapterCandidate) -> Bool {
    if metadataLength != other.metadataLength { return metadataLength < other.metadataLength }
    return (known, wholeBlocks.count, written)
      < (other.known, other.wholeBlocks.count, other.written)
  }
}
