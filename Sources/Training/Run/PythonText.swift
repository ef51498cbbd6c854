/// A value as Python's `str` writes it, which is how kohya's scripts put settings into metadata.
package struct PythonText: ExpressibleByStringLiteral {
  package let text: String

  package init(stringLiteral value: String) { text = value }
  package init(_ value: String?) { text = value ?? "None" }
  package init(_ value: Bool) { text = value ? "True" : "False" }
  package init(_ value: Int?) { text = value.map { "\($0)" } ?? "None" }
  package init(_ value: UInt64?) { text = value.map { "\($0)" } ?? "None" }
  package init(_ value: Double?) { text = value.map { "\($0)" } ?? "None" }
  /// Numbers that are the same as one, others as a list.
  package init(_ values: [Double]) {
    text =
      Set(values).count < 2
      ? PythonText(values.first).text : "[" + values.map { "\($0)" }.joined(separator: ", ") + "]"
  }
  package init(_ value: Float?) { text = value.map { "\($0)" } ?? "None" }
}
