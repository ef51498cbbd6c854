/// Calls `body` with the elements of two arrays, to be changed.
@inline(__always)
func withMutableSpans(
  _ a: inout [Float], _ b: inout [Float],
  _ body: (inout MutableSpan<Float>, inout MutableSpan<Float>) -> Void
) {
  var first = a.mutableSpan
  var second = b.mutableSpan
  body(&first, &second)
}

/// Calls `body` with the elements of three arrays, to be changed.
@inline(__always)
func withMutableSpans(
  _ a: inout [Float], _ b: inout [Float], _ c: inout [Float],
  _ body: (inout MutableSpan<Float>, inout MutableSpan<Float>, inout MutableSpan<Float>) -> Void
) {
  var first = a.mutableSpan
  var second = b.mutableSpan
  var third = c.mutableSpan
  body(&first, &second, &third)
}
