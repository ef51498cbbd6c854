package import Tensors

/// How captions are kept in files beside their pictures, once the text encoders have seen them.
package struct KeptText: Sendable {
  /// Behind the name of the picture without its own ending: `_te_outputs.npz`.
  package let ending: String
  /// The arrays of a file with their extents, in the order in which caption encoders make them, or `arranged` does; nil
  /// for any.
  package let arrays: [(name: String, extents: [Int?])]
  /// Most columns of arrays whose number of columns is not known.
  package let limits: [String: Int]
  /// Makes them of a caption and of what caption encoders make of it, without the axis of captions; nil where both are
  /// the same.
  package let arranged: (@Sendable (_ caption: String, _ encoded: [Tensor]) -> [Tensor])?
  /// Those of them that are whole numbers in the file.
  package let integers: Set<String>
  /// Arrays of zeros that other readers ask for, with as many rows as one of the others has.
  package let zeros: [(name: String, rowsOf: String, columns: Int)]
  /// Arrays that have as many rows as another one.
  package let equalRows: [(name: String, as: String)]
  /// How the text encoders were asked, by the names of arrays that say so; `apply_t5_attn_mask`.
  package let statements: [(name: String, value: Bool)]
  /// Rows that an option asks of an array. Files of others are taken, and count as they are.
  package let asked: (rows: Int, name: String, option: String)?
  /// Columns of all arrays of two axes together; nil for any.
  package let columns: Int?
  /// Differs between text encoders; nil where there are none to compare with, or to make files with.
  package var identity: String?

  package init(
    ending: String, arrays: [(name: String, extents: [Int?])],
    limits: [String: Int] = [:], arranged: (@Sendable (String, [Tensor]) -> [Tensor])? = nil,
    integers: Set<String> = [],
    zeros: [(name: String, rowsOf: String, columns: Int)] = [],
    equalRows: [(name: String, as: String)] = [],
    statements: [(name: String, value: Bool)] = [],
    asked: (rows: Int, name: String, option: String)? = nil, columns: Int? = nil, identity: String?
  ) {
    self.ending = ending
    self.arrays = arrays
    self.limits = limits
    self.arranged = arranged
    self.integers = integers
    self.zeros = zeros
    self.equalRows = equalRows
    self.statements = statements
    self.asked = asked
    self.columns = columns
    self.identity = identity
  }
}
