/// How captions are kept in files beside their pictures, once the text encoders have seen them.
package struct KeptText: Sendable {
  /// Behind the name of the picture without its own ending: `_te_outputs.npz`.
  package let ending: String
  /// The arrays of a file with their extents, in the order in which caption encoders make them; nil for any.
  package let arrays: [(name: String, extents: [Int?])]
  /// Columns of all arrays of two axes together; nil for any.
  package let columns: Int?
  /// Differs between text encoders; nil where there are none to compare with.
  package let identity: String?

  package init(
    ending: String, arrays: [(name: String, extents: [Int?])], columns: Int? = nil,
    identity: String?
  ) {
    self.ending = ending
    self.arrays = arrays
    self.columns = columns
    self.identity = identity
  }
}
